import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ClipEncoder } from '@clip-ts/clip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer, type Configs, type Finished } from './cli.js';
import { weights } from './weights.js';
import { writeWholeModel } from './whole-models.js';

let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);
const json = async (...names: string[]) =>
  JSON.parse(await readFile(inFolder(...names), 'utf8')) as Record<string, unknown>;

/** Names of the tensors that differ by more than `least`. */
function changed(a: Map<string, Float32Array>, b: Map<string, Float32Array>, least = 0): string[] {
  return [...a]
    .filter(([name, x]) => x.some((value, i) => Math.abs(value - b.get(name)![i]!) > least))
    .map(([name]) => name);
}

/** Runs stage 2 alone from a whole model, with changes to the tiny training configuration. */
async function pretrain(
  run: string,
  source: string,
  everything: Record<string, unknown>,
  more: readonly string[] = [],
) {
  const flags = await configFlags(folder, { everything });
  const withoutModel = flags.slice(2);
  return trainer(
    ...[
      'pretrain',
      '--data',
      inFolder('dataset'),
      '--output',
      inFolder(run),
      '--feature-cache',
      inFolder('features'),
    ],
    ...['--freeze-epochs', '0', '--init-from', inFolder(source), ...withoutModel, ...more],
  );
}

const evaluate = async (checkpoint: string): Promise<unknown> => {
  const { stdout } = await trainer(
    'evaluate',
    '--checkpoint',
    checkpoint,
    '--data',
    inFolder('dataset'),
    '--json',
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
};

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', '24', '--val', '16', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', inFolder('dataset'), ...sizes)).code).toBe(0);
  await writeWholeModel(inFolder('clip'), 'clip-finetune');
  await writeWholeModel(inFolder('siglip'), 'siglip-finetune');
  await writeWholeModel(inFolder('pair'), 'vit-roberta');
});
afterAll(() => remove());

/** A run whose rate is so small that it keeps the CLIP model; several tests look at what it left. */
let kept: Finished;
beforeAll(async () => {
  kept = await pretrain('kept', 'clip', { learning_rate: 1e-12 });
});

describe('a run that starts from a whole model', () => {
  it('keeps a CLIP model: with a rate of nearly 0 the result evaluates as the source, in the same layout', async () => {
    const { code, stdout, stderr } = kept;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /init_from .*clip: a clip model, 78 tensors, towers and projections kept; logit_scale 2\.6592/,
    );
    expect(stdout).toContain('nothing is new');
    const [before, after] = [await weights(inFolder('clip')), await weights(inFolder('kept', 'checkpoint'))];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    expect(changed(before, after, 1e-8)).toEqual([]);
    expect(await json('kept', 'checkpoint', 'config.json')).toEqual(await json('clip', 'config.json'));
    expect(await readFile(inFolder('kept', 'checkpoint', 'README.md'), 'utf8')).toContain(
      'CLIPModel.from_pretrained',
    );
    expect(await evaluate(inFolder('kept', 'checkpoint'))).toEqual(await evaluate(inFolder('clip')));
  });

  it('trains a SigLIP with the sigmoid loss, and --extend gives the finished run more epochs', async () => {
    const first = await pretrain('siglip-run', 'siglip', { epochs: 1 });
    expect(first.stderr).toBe('');
    // 8 pairs: ln 8 + 7 ln(8/7)
    expect(first.stdout).toMatch(/chance 3\.014/);
    const [before, after] = [
      await weights(inFolder('siglip')),
      await weights(inFolder('siglip-run', 'last')),
    ];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    expect(changed(before, after)).toEqual(expect.arrayContaining(['logit_scale', 'logit_bias']));
    const encoder = await ClipEncoder.load(inFolder('siglip-run', 'checkpoint'));
    expect((await encoder.encodeTexts(['a red circle']))[0]).toHaveLength(8);
    await encoder.dispose();

    const refused = await pretrain('siglip-run', 'siglip', { epochs: 2 });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('a finished run of 1 epochs, and 2 are asked for; pass --extend');
    const extended = await pretrain('siglip-run', 'siglip', { epochs: 2 }, ['--extend']);
    expect(extended.stderr).toBe('');
    expect(extended.stdout).toContain('extended from 1 to 2 epochs');
    expect(await json('siglip-run', 'last', 'training', 'state.json')).toMatchObject({
      updates: 6,
      epoch: 2,
      finished: true,
      extensions: [{ stage: 0, from: 1, to: 2, updates: 3 }],
    });
    const again = await pretrain('siglip-run', 'siglip', { epochs: 2 }, ['--extend']);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('finished');
  });

  it('starts from a checkpoint of its own, and leaves the locked tower and the lower blocks as they are', async () => {
    const source = path.join('kept', 'checkpoint');
    const options = {
      lock_tower: 'vision',
      unfreeze_last: { text: 1 },
      head_learning_rate: 1e-2,
      logit_scale_learning_rate: 1e-4,
      layer_decay: 0.5,
      label_smoothing: 0.1,
    };
    const { code, stderr } = await pretrain('locked', source, options);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const names = changed(await weights(inFolder(source)), await weights(inFolder('locked', 'last')));
    expect(names.filter((name) => name.startsWith('vision_model.'))).toEqual([]);
    expect(names.filter((name) => /^text_model\.(embeddings|encoder\.layers\.0)\./.test(name))).toEqual([]);
    const learned = ['text_model.encoder.layers.1.mlp.fc1.weight', 'text_projection.weight', 'logit_scale'];
    expect(names).toEqual(expect.arrayContaining([...learned, 'visual_projection.weight']));
  });

  it('names what is new: the logit_bias that the sigmoid loss gives to a pair of towers', async () => {
    const { code, stdout, stderr } = await pretrain('sigmoid', 'pair', { loss: 'sigmoid' });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/new: .*has no logit_bias: initialised/);
    expect(await json('sigmoid', 'checkpoint', 'config.json')).toMatchObject({
      model_type: 'vision-text-dual-encoder',
      logit_bias_init_value: -10,
    });
    const bias = (await weights(inFolder('sigmoid', 'last'))).get('logit_bias')![0]!;
    expect(bias).not.toBe(-10);
    expect(bias).toBeCloseTo(-10, 1);
  });
});

describe('settings that contradict the model that a run starts from', () => {
  const model = (settings: object) => async () => {
    const file = inFolder('own-model.json');
    await writeFile(file, JSON.stringify(settings));
    return ['--model-config', file];
  };
  const none = () => Promise.resolve([]);
  const CASES: [
    what: string,
    source: string,
    everything: Configs['everything'],
    flags: () => Promise<string[]>,
    message: RegExp,
  ][] = [
    [
      'a tower',
      'clip',
      {},
      model({ vision_backbone: 'x/y' }),
      /"vision_backbone" contradicts init_from .*left out.*\[INIT_FROM_CONFLICT\]/,
    ],
    [
      'a fixed logit_scale',
      'clip',
      {},
      model({ temperature: 'none' }),
      /"temperature": init_from keeps logit_scale.*\[INIT_FROM_CONFLICT\]/,
    ],
    [
      'more blocks than there are',
      'clip',
      { unfreeze_last: 3 },
      none,
      /"unfreeze_last": the vision tower \(clip_vision_model\) has 2 blocks; expected at most 2, found 3/,
    ],
    [
      'an --extend of nothing',
      'clip',
      {},
      () => Promise.resolve(['--extend']),
      /--extend: --output .* holds no run/,
    ],
  ];
  it.each(CASES)('%s: exit code 2 and the reason', async (_, source, everything, flags, message) => {
    const { code, stderr } = await pretrain('refused', source, everything ?? {}, await flags());
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('a single tower is refused with what to do', async () => {
    await writeWholeModel(inFolder('tower'), 'clip-finetune');
    const { vision_config } = await json('clip', 'config.json');
    await writeFile(inFolder('tower', 'config.json'), JSON.stringify(vision_config));
    const { code, stderr } = await pretrain('refused', 'tower', {});
    expect(stderr).toMatch(
      /found clip_vision_model\. Name a single tower as "vision_backbone".*\[INIT_FROM_NOT_DUAL_ENCODER\]/,
    );
    expect(code).toBe(2);
  });

  it('the checkpoint of the same output is refused, and stays', async () => {
    const { code, stderr } = await pretrain('kept', path.join('kept', 'checkpoint'), {}, ['--restart']);
    expect(stderr).toContain('[INIT_FROM_IN_OUTPUT]');
    expect(code).toBe(2);
    expect((await weights(inFolder('kept', 'checkpoint'))).size).toBe(78);
  });
});
