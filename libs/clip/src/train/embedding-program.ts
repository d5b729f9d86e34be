/** The program of evaluation: embeddings of images and of texts. B batch, T tokens, D tower width (each tower's own), E embedding. */
import { createContext, encodeImages, encodeTexts, type DualEncoder } from '../model/index.js';
import type { ProgramFunction } from './program.js';

/** The heads alone, on what the towers gave. */
export interface ProjectionFunctions {
  /** image_features [B, D] → image_embeds [B, E], evaluation mode. */
  projectImages: ProgramFunction<'image_features', 'image_embeds'>;
  /** text_features [B, D] → text_embeds [B, E], evaluation mode. */
  projectTexts: ProgramFunction<'text_features', 'text_embeds'>;
}

export const projectionFunctions = (model: DualEncoder): ProjectionFunctions => ({
  projectImages: (weights, { image_features }) => ({
    state: {},
    outputs: { image_embeds: model.layer.bind(weights, '').projectImages(image_features, createContext()) },
  }),
  projectTexts: (weights, { text_features }) => ({
    state: {},
    outputs: { text_embeds: model.layer.bind(weights, '').projectTexts(text_features, createContext()) },
  }),
});

export interface EmbeddingProgram extends ProjectionFunctions {
  /** pixel_values [B, 3, H, W] → image_embeds [B, E], evaluation mode. */
  embedImages: ProgramFunction<'pixel_values', 'image_embeds'>;
  /** input_ids, attention_mask [B, T] → text_embeds [B, E], evaluation mode. */
  embedTexts: ProgramFunction<'input_ids' | 'attention_mask', 'text_embeds'>;
}

/** Its state is the model's weights, which stay as they are. */
export const embeddingProgram = (model: DualEncoder): EmbeddingProgram => ({
  ...projectionFunctions(model),

  embedImages: (weights, { pixel_values }) => ({
    state: {},
    outputs: { image_embeds: encodeImages(model, weights, pixel_values, createContext()) },
  }),
  embedTexts: (weights, { input_ids, attention_mask }) => ({
    state: {},
    outputs: { text_embeds: encodeTexts(model, weights, input_ids, attention_mask, createContext()) },
  }),
});
