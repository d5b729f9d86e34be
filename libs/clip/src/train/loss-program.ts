/** The loss of embeddings that are there already: for wide batches, and for validation. N pairs, E embedding. */
import * as tf from '@tensorflow/tfjs-core';
import { valueAndGradients } from './gradients.js';
import { lossOf, type LossOptions } from './loss.js';
import type { LossScaleInput } from './loss-scale.js';
import type { ProgramFunction } from './program.js';
import { LOGIT_BIAS, LOGIT_SCALE } from './program-state.js';

/** The state has logit_scale, and logit_bias where the loss takes it. */
export interface LossFunctions {
  /**
   * Embeddings [N, E] → the loss and its gradients with respect to them, to logit_scale and to logit_bias (0 where the
   * loss has none), times loss_scale.
   */
  lossOfEmbeddings: ProgramFunction<
    'image_embeds' | 'text_embeds' | LossScaleInput,
    'loss' | 'image_grads' | 'text_grads' | 'logit_scale_grad' | 'logit_bias_grad'
  >;
  /** Embeddings [N, E] → the loss without label smoothing. */
  validationLoss: ProgramFunction<'image_embeds' | 'text_embeds', 'loss'>;
}

export function lossFunctions(options: LossOptions): LossFunctions {
  const learned = options.kind === 'sigmoid' ? [LOGIT_SCALE, LOGIT_BIAS] : [LOGIT_SCALE];
  return {
    lossOfEmbeddings: (state, { image_embeds, text_embeds, loss_scale }) => {
      const parameters = Object.fromEntries(learned.map((name) => [name, state[name]!]));
      const { value: loss, gradients } = valueAndGradients(
        (x) => lossOf(options, x.image_embeds!, x.text_embeds!, x),
        { image_embeds, text_embeds, ...parameters },
        ['image_embeds', 'text_embeds', ...learned],
        loss_scale,
      );
      const outputs = {
        loss,
        image_grads: gradients.image_embeds!,
        text_grads: gradients.text_embeds!,
        logit_scale_grad: gradients[LOGIT_SCALE]!,
        logit_bias_grad: gradients[LOGIT_BIAS] ?? tf.scalar(0),
      };
      return { state: {}, outputs };
    },

    validationLoss: (state, { image_embeds, text_embeds }) => ({
      state: {},
      outputs: { loss: lossOf({ kind: options.kind }, image_embeds, text_embeds, state) },
    }),
  };
}
