/** The ONNX models of a dual encoder: the encoders' forward pass in evaluation mode, traced by the engine. */
import * as tf from '@tensorflow/tfjs-core';
import { createContext } from '@clip-ts/clip/model';
import { numberOf, toTensors, type HostTensors } from '@clip-ts/clip/train';
import type { JointGraph } from 'tfjs-onnxruntime';
import { openBackend } from '../backend/open-backend.js';
import type { AssembledModel } from '../model/assembled-model.js';

export interface OnnxModels {
  /** pixel_values [B, 3, H, W] → image_embeds [B, E], any B. SigLIP: and pooler_output, not normalised, as published models. */
  vision: Uint8Array;
  /** input_ids, attention_mask [B, T] → text_embeds [B, E], any B and T. SigLIP: no mask, and pooler_output too. */
  text: Uint8Array;
  /** Both, and logits_per_image [images, texts] from them: what pipelines of transformers.js load. */
  joint: Uint8Array;
}

/** In the folder onnx/; `joint` refers to the weights in the two others. */
export const ONNX_FILES = { vision: 'vision_model.onnx', text: 'text_model.onnx', joint: 'model.onnx' };

/** Traces on the onnxruntime backend; the backend that was current is current again afterwards. */
export async function onnxModels({ model, weights, processor }: AssembledModel): Promise<OnnxModels> {
  const { exportOnnx, joinModels } = await import('tfjs-onnxruntime');
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
    const towers = {
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
    const parts = (['vision', 'text'] as const).map((part) => ({
      model: towers[part],
      file: ONNX_FILES[part],
      prefix: `${part}_`,
      keep: [part === 'vision' ? 'image_embeds' : 'text_embeds'],
    }));
    return { ...towers, joint: joinModels(parts, jointGraph(weights, model.embeddingSize)) };
  } finally {
    tf.dispose(tensors);
    await tf.setBackend(previous);
  }
}

/** The outputs of transformers' CLIPModel and SiglipModel, from unit vectors [B, E]. */
function jointGraph(weights: HostTensors, E: number): JointGraph {
  const bias = weights.logit_bias;
  return {
    constants: {
      logit_scale: Math.exp(numberOf(weights.logit_scale!)),
      ...(bias && { logit_bias: numberOf(bias) }),
    },
    nodes: [
      { op: 'Transpose', inputs: ['image_embeds'], output: 'image_columns' },
      { op: 'MatMul', inputs: ['text_embeds', 'image_columns'], output: 'cosines' },
      { op: 'Mul', inputs: ['cosines', 'logit_scale'], output: bias ? 'scaled' : 'logits_per_text' },
      ...(bias ? [{ op: 'Add', inputs: ['scaled', 'logit_bias'], output: 'logits_per_text' }] : []),
      { op: 'Transpose', inputs: ['logits_per_text'], output: 'logits_per_image' },
    ],
    outputs: {
      logits_per_image: ['vision_batch', 'text_batch'],
      logits_per_text: ['text_batch', 'vision_batch'],
      text_embeds: ['text_batch', E],
      image_embeds: ['vision_batch', E],
    },
  };
}
