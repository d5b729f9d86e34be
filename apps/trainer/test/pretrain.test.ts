import { readFile, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, countThreads, start, temporaryFolder, trainer, type Finished } from './cli.js';
import { weights } from './weights.js';

interface StepLine {
  kind: 'step' | 'validation';
  update: number;
  loss: number;
}

let folder: string;
let dataset: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);

async function steps(run: string): Promise<StepLine[]> {
  const text = await readFile(path.join(run, 'metrics.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as StepLine).filter(({ kind }) => kind === 'step');
}

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  dataset = inFolder('dataset');
  const sizes = ['--size', '32', '--train', '64', '--val', '24', '--held-out', '24'];
  expect((await trainer('sample-data', '--output', dataset, ...sizes)).code).toBe(0);
});
afterAll(() => remove());

const pretrainArgs = (run: string, flags: readonly string[]) => [
  'pretrain',
  '--data',
  dataset,
  '--output',
  run,
  '--feature-cache',
  inFolder('features'),
  ...flags,
];

describe('pretrain', () => {
  let run: string;
  let flags: string[];

  beforeAll(async () => {
    run = inFolder('run');
    flags = await configFlags(folder, { everything: { epochs: 2 } });
    const { code, stdout, stderr } = await trainer(...pretrainArgs(run, flags));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/stage 1\/2 \(heads\).*loss .*chance 2\.079.*images\/s.*left/);
    expect(stdout).toContain('ONNX export differs');
  });

  it('leaves a whole checkpoint, a resumable one, metrics and a report', async () => {
    const names = [
      'README.md',
      'config.json',
      'model.safetensors',
      'onnx',
      'preprocessor_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ];
    expect((await readdir(path.join(run, 'checkpoint'))).sort()).toEqual(names);
    expect(await readdir(path.join(run, 'last', 'training'))).toEqual([
      'optimizer.safetensors',
      'state.json',
    ]);
    expect(await steps(run)).toHaveLength(24);
    const report = await readFile(path.join(run, 'report.html'), 'utf8');
    expect(report).toContain('<svg');
    expect(report).toContain('data:image/jpeg;base64,');
    expect(report).not.toMatch(/https?:\/\//);
    expect(await readFile(path.join(run, 'checkpoint', 'README.md'), 'utf8')).toContain('R@10');
  });

  describe('of one stage alone', () => {
    const only = () => inFolder('heads-only');
    const none = () => inFolder('everything-only');
    let heads: Finished;
    let everything: Finished;
    let headFlags: string[];
    beforeAll(async () => {
      headFlags = await configFlags(folder, { heads: { learning_rate: 5e-4 }, everything: { epochs: 0 } });
      heads = await trainer(...pretrainArgs(only(), headFlags));
      const wide = await configFlags(folder, { everything: { gradient_accumulation_steps: 4 } });
      everything = await trainer(...pretrainArgs(none(), wide), '--freeze-epochs', '0');
    });

    it('trains the heads alone in stage 1', async () => {
      const [headsOnly, everythingOnly] = [
        await weights(path.join(only(), 'last')),
        await weights(path.join(none(), 'last')),
      ];
      const first = 'vision_model.encoder.layer.0.attention.attention.query.weight';
      expect(headsOnly.get(first)).not.toEqual(everythingOnly.get(first));
      expect(headsOnly.get('visual_projection.weight')).not.toEqual(
        everythingOnly.get('visual_projection.weight'),
      );
    });

    it('computes the features of frozen towers once for all runs on the same towers and data', async () => {
      expect([heads.code, heads.stdout]).toEqual([
        0,
        expect.stringMatching(/training: features of the frozen towers from .*\.safetensors/),
      ]);
      const otherSeed = await trainer(
        ...pretrainArgs(inFolder('other-towers'), [...headFlags, '--seed', '6']),
      );
      expect(otherSeed.stdout).toMatch(/training: features of 64 of 64 images .*images\/s .*left/);
    });

    it('takes a contrastive batch wider than what goes through the towers at a time', () => {
      expect([everything.code, everything.stdout]).toEqual([
        0,
        expect.stringContaining(`chance ${Math.log(32).toFixed(3)}`),
      ]);
    });
  });

  it('keeps features of several views of each image where the images are changed', async () => {
    const views = { augmentation: 'mild', cached_views: 3 };
    const some = await configFlags(folder, { heads: views, everything: { epochs: 0 } });
    const { code, stdout } = await trainer(...pretrainArgs(inFolder('views'), some));
    expect([code, stdout]).toEqual([0, expect.stringContaining('features of 192 of 192 images')]);
    const late = await trainer(
      ...pretrainArgs(inFolder('late'), await configFlags(folder, { everything: views })),
    );
    expect([late.code, late.stderr]).toEqual([2, expect.stringContaining('"cached_views"')]);
  });

  it('does nothing when the run is finished, and names the settings when they differ', async () => {
    const again = await trainer(...pretrainArgs(run, flags));
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('finished')]);
    const other = await trainer(...pretrainArgs(run, flags), '--seed', '6');
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('everything seed (was 5, now 6)'),
    ]);
  });

  it('evaluates: a table, and JSON alone on the last line', async () => {
    const { code, stdout } = await trainer(
      'evaluate',
      '--checkpoint',
      path.join(run, 'checkpoint'),
      '--data',
      dataset,
      '--json',
    );
    expect(code).toBe(0);
    const evaluation = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      retrieval: Record<string, unknown>;
      zero_shot: { name: string }[];
    };
    const recall = {
      r1: expect.any(Number) as number,
      r5: expect.any(Number) as number,
      r10: expect.any(Number) as number,
    };
    expect(evaluation.retrieval).toEqual({
      text_to_image: recall,
      image_to_text: recall,
      images: 24,
      captions: 120,
    });
    expect(evaluation.zero_shot.map(({ name }) => name)).toEqual(['val2017', 'valheldout2017']);
    expect(Object.keys(evaluation.zero_shot[0]!)).toEqual(['name', 'classes', 'images', 'top1', 'top5']);
  });

  it('exports again what was exported, on no more cores than it may use', async () => {
    const checkpoint = path.join(run, 'checkpoint');
    await rm(path.join(checkpoint, 'onnx'), { recursive: true });
    const { code, stdout, threads } = await countThreads(['export', '--checkpoint', checkpoint], folder, '0');
    expect(code).toBe(0);
    expect(threads).toEqual(threads.map(() => 0));
    const difference = Number(/at most (\S+)/.exec(stdout)![1]);
    expect(difference).toBeLessThanOrEqual(1e-4);
    expect((await stat(path.join(checkpoint, 'onnx/text_model.onnx'))).size).toBeGreaterThan(1000);
  });

  it('resumes after kill -9 from the last complete checkpoint, to the same weights', async () => {
    const quick = await configFlags(folder, { everything: { epochs: 2, checkpoint_seconds: 0.001 } });
    const killed = inFolder('killed');
    for (const atUpdate of [4, 13]) {
      const { child, finished } = start(pretrainArgs(killed, quick));
      while ((await steps(killed).catch(() => [])).length < atUpdate) await pause(20);
      child.kill('SIGKILL');
      expect((await finished).code).toBeNull();
    }
    const { code, stdout } = await trainer(...pretrainArgs(killed, quick));
    expect(code).toBe(0);
    expect(stdout).toContain('resuming from');
    const [whole, resumed] = [await steps(run), await steps(killed)];
    expect(resumed.map(({ update }) => update)).toEqual(whole.map(({ update }) => update));
    resumed.forEach(({ loss }, i) => expect(loss).toBeCloseTo(whole[i]!.loss, 4));
    const expected = await weights(path.join(run, 'last'));
    for (const [name, values] of await weights(path.join(killed, 'last'))) {
      const worst = values.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - expected.get(name)![i]!)),
        0,
      );
      expect(worst, name).toBeLessThan(1e-4);
    }
  });

  it('stops with a clear error when the loss is not finite, and keeps the last checkpoint', async () => {
    const wild = await configFlags(folder, {
      everything: { learning_rate: 1e30, max_grad_norm: 1e30, epochs: 3 },
    });
    const broken = inFolder('broken');
    const { code, stderr } = await trainer(...pretrainArgs(broken, wild));
    expect(code).toBe(1);
    expect(stderr).toMatch(/loss of step \d+ is .*not a finite number/);
    expect(stderr).not.toMatch(/\n {4}at /);
    for (const values of (await weights(path.join(broken, 'last'))).values()) {
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});
