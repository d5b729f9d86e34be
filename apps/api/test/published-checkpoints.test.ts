/** Checkpoints in the forms in which others publish them. */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { freshDataFolder } from './support/data-folder.js';
import { colourPng } from './support/images.js';
import { TestServer, formRequest, runToEnd } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';
import { useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = useFolder();

it('models in half precision alone and the processor of transformers 5 are served, from the copy too', async () => {
  const checkpoint = await writeTinyCheckpoint(join(folder, 'published'), { published: true });
  const other = await writeTinyCheckpoint(join(folder, 'other'));
  const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'data')) };
  let server = await TestServer.start(env);
  const labels = ['red', 'blue', 'green'];
  const image = await colourPng('blue');
  const classify = () =>
    server.json<{ label: string; similarity: number }[]>('/classify', formRequest({ image, labels }));
  const before = await classify();
  expect(before[0]).toMatchObject({ label: 'blue', similarity: expect.closeTo(1, 3) as number });
  await server.json('/images', formRequest({ image }));
  await server.stop();

  // The model answers from its copy while the other is built.
  server = await TestServer.start({
    ...env,
    CLIP_CHECKPOINT: other,
    MODEL_BUILD_RATE: '1',
    PRECISION: 'fp32',
  });
  const { model } = await server.json<{ model: { name: string } }>('/readyz');
  expect(model.name).toBe('published');
  expect(await classify()).toEqual(before);
  await server.stop();

  const { code, output } = await runToEnd({ ...env, PRECISION: 'q8', PORT: '0' });
  expect(code).toBe(2);
  expect(output).toMatch(/lacks onnx\/vision_model_quantized\.onnx.*found.*onnx\/vision_model_fp16\.onnx/s);
});
