import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOLDEN, goldenFolders } from '../../test/golden-folders.js';
import { SafetensorsFile, writeSafetensors, type TensorEntry } from '../safetensors/index.js';
import { createDualEncoder, dualEncoderSpecs } from './dual-encoder.js';
import { loadDualEncoder, loadTextTower, loadVisionTower } from './load-model.js';
import { createTextTower, createVisionTower } from './registry.js';
import type { HostTensor, TensorSpec } from './types.js';
import { initWeights } from './weights/initialize.js';
import { saveWeights } from './weights/save.js';

const BERT = {
  model_type: 'bert',
  vocab_size: 11,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 6,
  max_position_embeddings: 8,
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clip-load-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder with a BERT config and the given tensors. */
async function bertFolder(entries: TensorEntry[]): Promise<string> {
  const folder = await mkdtemp(join(root, 'bert-'));
  await writeFile(join(folder, 'config.json'), JSON.stringify(BERT));
  await writeSafetensors(join(folder, 'model.safetensors'), entries);
  return folder;
}

/** The tensors of a seeded BERT, renamed; those renamed to undefined are left out. */
function bertEntries(rename: (name: string) => string | undefined = (name) => name): TensorEntry[] {
  const weights = initWeights(createTextTower(BERT).specs, 3);
  return Object.entries(weights).flatMap(([name, { data: values, shape }]) => {
    const renamed = rename(name);
    return renamed === undefined ? [] : [{ name: renamed, dtype: 'F32' as const, shape, data: values }];
  });
}

const head: TensorEntry = {
  name: 'cls.predictions.bias',
  dtype: 'F32',
  shape: [11],
  data: new Float32Array(11),
};

describe('loading a tower', () => {
  it('takes a bare tower as it is', async () => {
    const { tensors } = await loadTextTower(await bertFolder(bertEntries()));
    expect(tensors).toEqual(initWeights(createTextTower(BERT).specs, 3));
  });

  it('strips the prefix of a task model, drops its head and old position_ids', async () => {
    const positions: TensorEntry = {
      name: 'bert.embeddings.position_ids',
      dtype: 'I64',
      shape: [1, 8],
      data: new BigInt64Array(8),
    };
    const folder = await bertFolder([...bertEntries((name) => `bert.${name}`), head, positions]);
    const { tensors } = await loadTextTower(folder);
    expect(tensors).toEqual(initWeights(createTextTower(BERT).specs, 3));
  });

  it('reads gamma and beta as weight and bias', async () => {
    const old = (name: string) =>
      name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
    const { tensors } = await loadTextTower(await bertFolder(bertEntries(old)));
    expect(tensors).toEqual(initWeights(createTextTower(BERT).specs, 3));
  });

  it('initialises an absent pooler from the seed and warns by name', async () => {
    const folder = await bertFolder(bertEntries((name) => (name.startsWith('pooler') ? undefined : name)));
    const warnings: string[] = [];
    const { tensors } = await loadTextTower(folder, { seed: 5, onWarning: (text) => warnings.push(text) });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('pooler.dense.weight, pooler.dense.bias');
    expect(tensors['pooler.dense.weight']).toEqual(
      initWeights(createTextTower(BERT).specs, 5)['pooler.dense.weight'],
    );
  });

  it('reads the shards that an index names', async () => {
    const folder = await mkdtemp(join(root, 'shards-'));
    const entries = bertEntries();
    await writeFile(join(folder, 'config.json'), JSON.stringify(BERT));
    await writeSafetensors(join(folder, 'model-00001-of-00002.safetensors'), entries.slice(0, 7));
    await writeSafetensors(join(folder, 'model-00002-of-00002.safetensors'), entries.slice(7));
    const weight_map = Object.fromEntries(
      entries.map(({ name }, i) => [name, `model-0000${i < 7 ? 1 : 2}-of-00002.safetensors`]),
    );
    await writeFile(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ metadata: {}, weight_map }),
    );
    const { tensors } = await loadTextTower(folder);
    expect(tensors).toEqual(initWeights(createTextTower(BERT).specs, 3));
  });

  it('names every missing, unexpected and misshapen tensor with expected and found shapes', async () => {
    const entries = bertEntries((name) => (name === 'embeddings.LayerNorm.bias' ? undefined : name)).map(
      (entry) =>
        entry.name === 'embeddings.word_embeddings.weight'
          ? { ...entry, shape: [10, 4], data: new Float32Array(40) }
          : entry,
    );
    const folder = await bertFolder([...entries, { ...head, name: 'encoder.extra' }]);
    const error = await loadTextTower(folder).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'WEIGHTS_MISMATCH' });
    expect(String(error)).toContain('1 missing: embeddings.LayerNorm.bias [4]');
    expect(String(error)).toContain('1 unexpected: encoder.extra');
    expect(String(error)).toContain('embeddings.word_embeddings.weight (expected [11, 4], found [10, 4])');
  });

  it('refuses a pickle with the command that converts it', async () => {
    const folder = await mkdtemp(join(root, 'pickle-'));
    await writeFile(join(folder, 'config.json'), JSON.stringify(BERT));
    await writeFile(join(folder, 'pytorch_model.bin'), 'x');
    await expect(loadTextTower(folder)).rejects.toThrow(/safe_serialization=True/);
  });
});

describe('saving weights', () => {
  it('writes what transformers needs: pt format, float32, 64-bit index buffers', async () => {
    const folder = await mkdtemp(join(root, 'swin-'));
    const config = {
      model_type: 'swin',
      image_size: 8,
      patch_size: 2,
      embed_dim: 4,
      depths: [1],
      num_heads: [2],
      window_size: 2,
    };
    const { specs } = createVisionTower(config);
    await saveWeights(folder, specs, initWeights(specs, 1));
    const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
    expect(file.metadata).toEqual({ format: 'pt' });
    const self = 'encoder.layers.0.blocks.0.attention.self';
    expect(file.tensors.get(`${self}.relative_position_index`)).toMatchObject({
      dtype: 'I64',
      shape: [4, 4],
    });
    const index = await file.readBytes(`${self}.relative_position_index`);
    expect([...new BigInt64Array(index.buffer)].slice(0, 4)).toEqual([4n, 3n, 1n, 0n]);
    expect(file.tensors.get('layernorm.weight')).toMatchObject({ dtype: 'F32', shape: [4] });
    await file.close();
  });

  it('refuses a missing tensor by name', async () => {
    const { specs } = createTextTower(BERT);
    const { 'pooler.dense.bias': _, ...rest } = initWeights(specs, 1);
    await expect(saveWeights(root, specs, rest)).rejects.toThrow(/pooler\.dense\.bias/);
  });
});

describe('checkpoints as on the hub', () => {
  const models = (name: string) => join(GOLDEN, 'models', name);

  it.each([
    ['vit-image-classification', loadVisionTower],
    ['roberta-masked-lm', loadTextTower],
  ] as const)('%s gives its tower without the head, and a new pooler', async (name, load) => {
    const warnings: string[] = [];
    const { tower, tensors } = await load(models(name), { onWarning: (text) => warnings.push(text) });
    expect(Object.keys(tensors).sort()).toEqual(tower.specs.map((spec) => spec.name).sort());
    expect(warnings.join()).toContain('pooler.dense.weight');
  });

  it('a CLIP and a SigLIP model give either of their towers', async () => {
    for (const name of ['clip', 'siglip']) {
      const vision = await loadVisionTower(models(name));
      const text = await loadTextTower(models(name));
      expect(vision.config.model_type).toBe(`${name}_vision_model`);
      expect(text.config.model_type).toBe(`${name}_text_model`);
    }
  });

  it.each([...goldenFolders('training', ['swin-roberta']), ...goldenFolders('models', ['clip', 'siglip'])])(
    '$name comes back byte for byte',
    async ({ path: folder }) => {
      const { model, tensors } = await loadDualEncoder(folder);
      await expectRoundTrip(folder, dualEncoderSpecs(model), tensors);
    },
  );

  it('half precision stays half precision where nothing changed, and widens where something did', async () => {
    const folder = join(GOLDEN, 'half-precision/bert');
    const { tower, tensors } = await loadTextTower(folder);
    const name = 'encoder.layer.0.output.dense.bias';
    const changed = {
      ...tensors,
      [name]: { ...tensors[name]!, data: tensors[name]!.data.map((v) => v + 1e-7) },
    };
    const target = await mkdtemp(join(root, 'half-'));
    await saveWeights(target, tower.specs, changed, { source: { folder } });
    const file = await SafetensorsFile.open(join(target, 'model.safetensors'));
    expect(file.tensors.get(name)).toMatchObject({ dtype: 'F32' });
    expect(file.tensors.get('pooler.dense.weight')).toMatchObject({ dtype: 'F16' });
    await file.close();
  });

  it('a tower that became part of a dual encoder is written under its new names', () => {
    const model = createDualEncoder({
      model_type: 'vision-text-dual-encoder',
      vision_config: { model_type: 'vit', hidden_size: 12 },
      text_config: BERT,
      projection_dim: 8,
    });
    const names = dualEncoderSpecs(model).map((spec) => spec.name);
    expect(names).toContain('vision_model.embeddings.cls_token');
    expect(names).toContain('text_model.pooler.dense.bias');
    expect(names.slice(-3)).toEqual(['visual_projection.weight', 'text_projection.weight', 'logit_scale']);
    expect(names.filter((name) => !model.towerTensors.has(name))).toEqual(names.slice(-3));
  });
});

/** Every tensor of the source is in the saved file with the same type, shape and bytes. */
async function expectRoundTrip(
  folder: string,
  specs: readonly TensorSpec[],
  tensors: Record<string, HostTensor>,
): Promise<void> {
  const target = await mkdtemp(join(root, 'round-'));
  await saveWeights(target, specs, tensors, { source: { folder } });
  const before = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  const after = await SafetensorsFile.open(join(target, 'model.safetensors'));
  expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort());
  for (const [name, { dtype, shape }] of before.tensors) {
    expect(after.tensors.get(name)).toMatchObject({ dtype, shape });
    expect(Buffer.compare(await after.readBytes(name), await before.readBytes(name)), name).toBe(0);
  }
  await Promise.all([before.close(), after.close()]);
}
