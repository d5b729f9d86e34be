/** What the routes of the demo take and answer. */
import { z } from 'zod';
import { ONNX_SUFFIXES } from '@clip-ts/clip';
import type { OnnxPrecision } from '@clip-ts/clip';
import { storableText } from '../http/fields.js';

const precisions = Object.keys(ONNX_SUFFIXES) as [OnnxPrecision, ...OnnxPrecision[]];

export const demoModelSchema = z
  .object({
    hash: z.string(),
    name: z.string(),
    precision: z.enum(precisions),
    files: z.array(z.string()).describe('Paths below demo/files/HASH/'),
    bytes: z.int().describe('Of all files together'),
    scoring: z.object({
      logitScale: z.number(),
      logitBias: z.number().optional(),
      labelCalibration: z.object({ slope: z.number(), offset: z.number() }).optional(),
    }),
    hub: z.boolean().describe('The page may load models of the Hugging Face hub'),
  })
  .meta({ id: 'DemoModel' });
export type DemoModel = z.infer<typeof demoModelSchema>;

export const demoFileParamsSchema = z.object({
  hash: storableText.describe('Hash of the model'),
  name: storableText.describe('Name of the file'),
});
export type DemoFileParams = z.infer<typeof demoFileParamsSchema>;
