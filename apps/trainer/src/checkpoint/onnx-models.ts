/** The ONNX models of a dual encoder: the encoders' forward pass in evaluation mode, traced by the engine. */
import * as tf from '@tensorflow/tfjs-core';
import { createContext, encodeImages, encodeTexts } from '@clip-ts/clip/model';
import { toTensors } from '@clip-ts/clip/train';
import { openBackend } from '../backend/open-backend.js';
import type { AssembledModel } from '../model/assembled-model.js';

export interface OnnxModels {
  /** pixel_values [B, 3, H, W] → image_embeds [B, E], any B. */
  vision: Uint8Array;
  /** input_ids, attention_mask [B, T] → text_embeds [B, E], any B and T. */
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
    return {
      vision: await exportOnnx(
        ({ pixel_values }) => ({
          image_embeds: encodeImages(model, tensors, pixel_values!, createContext()),
        }),
        { inputs: { pixel_values: pixels } },
      ),
      text: await exportOnnx(
        ({ input_ids, attention_mask }) => ({
          text_embeds: encodeTexts(model, tensors, input_ids!, attention_mask, createContext()),
        }),
        { inputs: { input_ids: tokens, attention_mask: tokens }, limits: { sequence: model.text.maxTokens } },
      ),
    };
  } finally {
    tf.dispose(tensors);
    await tf.setBackend(previous);
  }
}
