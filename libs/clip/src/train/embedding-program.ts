/** The program of evaluation: embeddings of images and of texts. B batch, T tokens, E embedding. */
import { createContext, encodeImages, encodeTexts, type DualEncoder } from '../model/index.js';
import type { ProgramFunction } from './program.js';

export interface EmbeddingProgram {
  /** pixel_values [B, 3, H, W] → image_embeds [B, E], evaluation mode. */
  embedImages: ProgramFunction<'pixel_values', 'image_embeds'>;
  /** input_ids, attention_mask [B, T] → text_embeds [B, E], evaluation mode. */
  embedTexts: ProgramFunction<'input_ids' | 'attention_mask', 'text_embeds'>;
}

/** Its state is the model's weights, which stay as they are. */
export const embeddingProgram = (model: DualEncoder): EmbeddingProgram => ({
  embedImages: (weights, { pixel_values }) => ({
    state: {},
    outputs: { image_embeds: encodeImages(model, weights, pixel_values, createContext()) },
  }),
  embedTexts: (weights, { input_ids, attention_mask }) => ({
    state: {},
    outputs: { text_embeds: encodeTexts(model, weights, input_ids, attention_mask, createContext()) },
  }),
});
