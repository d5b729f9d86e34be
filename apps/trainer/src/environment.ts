/** The one place where the trainer reads its environment. */
export const environment = {
  /** Key for Weights & Biases, when input/wandb_config.json leaves it out. */
  wandbKey: process.env.WANDB_API_KEY,
};
