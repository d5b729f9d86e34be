/** The ONNX models of a dual encoder: the encoders' forward pass in evaluation mode, traced by the engine. */
import * as tf from '@tensorflow/tfjs-core';
import { createContext } from '@clip-ts/clip/model';
import { toTensors } from '@clip-ts/clip/train';
import { openBackend } from '../backend/open-backend.js';
import type { AssembledModel } from '../model/assembled-model.js';

export interface OnnxModels {
  /** pixel_values [B, 3, H, W] → image_embeds [B, E], any B. SigLIP: and pooler_output, not normalised, as published models. */
  vision: Uint8Array;
  /** input_ids, attention_mask [B, T] → text_embeds [B, E], any B and T. SigLIP: no mask, and pooler_output too. */
  text: Uint8Array;
}

/** Traces on the onnxruntime backend; the backend that was current is current again afterwards. */
export async function onnxModels({ model, weights, processor }: AssembledModel): Promise<OnnxModels> {
  const { exportOnnx } = await import('tfjs-onnxruntime');
  const previous = tf.getBackend();
  await openBackend('onnxruntime', { log: () => undefined });
  const tensors = toTensors(weights);
  try {
    const pixels = {
      shape: ['batch', 3, processor.height, processor.width],
      dtype: 'float32' as const,
    };
    const tokens = { shape: ['batch', 'sequence'], dtype: 'int64' as const };
    const isSiglip = model.config.kind === 'siglip';
    const bound = () => model.layer.bind(tensors, '');
    return {
      vision: await exportOnnx(
        ({ pixel_values }) => {
          const pooler_output = bound().imageFeatures({ pixel_values: pixel_values! }, createContext());
          const image_embeds = bound().projectImages(pooler_output, createContext());
          return { image_embeds, ...(isSiglip && { pooler_output }) };
        },
        { inputs: { pixel_values: pixels } },
      ),
      text: await exportOnnx(
        ({ input_ids, attention_mask }) => {
          const inputs = { input_ids: input_ids!, attention_mask };
          const pooler_output = bound().textFeatures(inputs, createContext());
          const text_embeds = bound().projectTexts(pooler_output, createContext());
          return { text_embeds, ...(isSiglip && { pooler_output }) };
        },
        {
          inputs: { input_ids: tokens, ...(isSiglip ? {} : { attention_mask: tokens }) },
          limits: { sequence: model.text.maxTokens },
        },
      ),
    };
  } finally {
    tf.dispose(tensors);
    await tf.setBackend(previous);
  }
}
