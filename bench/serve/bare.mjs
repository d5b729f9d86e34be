/**
 * The bare session beside the service: `run B` times forward passes of the vision model of FOLDER with batch B, as many as
 * the second argument says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { answerRequests, timeRuns } from '../shared/side.mjs';

const [folder = '', repeats] = process.argv.slice(2);
const { size, crop_size } = JSON.parse(readFileSync(join(folder, 'preprocessor_config.json'), 'utf8'));
const side = crop_size?.height ?? size.height ?? size.shortest_edge;
const session = await ort.InferenceSession.create(join(folder, 'onnx/vision_model.onnx'));
await answerRequests(async (_request, batch) => {
  const data = new Float32Array(batch * 3 * side ** 2).map((_, i) => ((i * 7919) % 2003) / 1001.5 - 1);
  const pixel_values = new ort.Tensor('float32', data, [batch, 3, side, side]);
  return { ms: await timeRuns(Number(repeats), async () => void (await session.run({ pixel_values }))) };
});
