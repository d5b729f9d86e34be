/** The environment variables that the trainer reads, all but those of the native packages (backend/native-folder.ts). */
export const environment = {
  /** Key for Weights & Biases, when input/wandb_config.json leaves it out. */
  wandbKey: process.env.WANDB_API_KEY,
};
