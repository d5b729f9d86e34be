/** One update of the contrastive program, as the trainer makes it. */
import {
  concatenateRows,
  intScalar,
  numberOf,
  sliceRows,
  type ContrastiveProgram,
  type HostTensors,
  type Runner,
  type updateInputs,
} from '../../src/train/index.js';

export const INPUTS = ['pixel_values', 'input_ids', 'attention_mask'] as const;
/** A micro-batch. */
export type Batch = Record<(typeof INPUTS)[number], HostTensors[string]>;

/** One update, of one micro-batch or of several (GradCache). */
export async function makeStep(
  { run }: Runner<ContrastiveProgram>,
  batches: readonly Batch[],
  update: ReturnType<typeof updateInputs>,
) {
  const seed = intScalar(0);
  if (batches.length === 1) {
    const { loss, grad_norm, logit_scale } = await run.step({ ...batches[0]!, seed, ...update });
    return { loss: numberOf(loss), grad_norm: numberOf(grad_norm), logit_scale: numberOf(logit_scale) };
  }
  const embedded = [];
  for (const batch of batches) embedded.push(await run.embedPairs({ ...batch, seed }));
  const { loss, image_grads, text_grads, logit_scale_grad, logit_bias_grad } = await run.lossOfEmbeddings({
    image_embeds: concatenateRows(embedded.map(({ image_embeds }) => image_embeds)),
    text_embeds: concatenateRows(embedded.map(({ text_embeds }) => text_embeds)),
    loss_scale: update.loss_scale,
  });
  let row = 0;
  for (const batch of batches) {
    const rows = batch.input_ids.shape[0]!;
    const grads = {
      image_grads: sliceRows(image_grads, row, rows),
      text_grads: sliceRows(text_grads, row, rows),
    };
    await run.accumulate({ ...batch, seed, ...grads });
    row += rows;
  }
  const { grad_norm, logit_scale } = await run.applySum({ logit_scale_grad, logit_bias_grad, ...update });
  return { loss: numberOf(loss), grad_norm: numberOf(grad_norm), logit_scale: numberOf(logit_scale) };
}
