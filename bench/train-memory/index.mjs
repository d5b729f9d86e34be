/**
 * How much memory a stage takes: peak resident set of a whole training process, beside PyTorch's.
 *
 *   npm run bench -- train-memory [--peer torch] [--batch 96] [--steps 6] [--shape d] [--lock vision|text] [--run with_addon …]
 *
 * Ours is `trainer pretrain` on noise in files: MobileNetV2 at 160 px and MiniLM-L6 (shape d of train-step, or another; everything
 * learns), captions of three padded lengths, one epoch with validation, checkpoints, ONNX export and report: with
 * the native addon, with it and gradient checkpointing, and without it; or the runs that are named. Shape c is stage 1 with
 * augmented images, whose frozen towers run at each step; --lock freezes one tower in stage 2. `planned` is what the
 * trainer estimated before its first step, of memory and of time; `waiting_for_data` is the share of the steps' time, the first left out. PyTorch makes steps alone, on tensors of the same sizes in the same three lengths. PYTHON names the interpreter with PyTorch 2.13 and transformers 4.57.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../shared/measure.mjs';
import { startSide } from '../shared/side.mjs';
import { OPTIMIZER, shapeNamed } from '../train-step/shapes.mjs';
import { writeNoise } from './data.mjs';

const { values } = parseArgs({
  options: {
    peer: { type: 'string', multiple: true, default: [] },
    batch: { type: 'string', default: '96' },
    shape: { type: 'string', default: 'd' },
    steps: { type: 'string', default: '6' },
    lock: { type: 'string' },
    run: { type: 'string', multiple: true, default: [] },
  },
});
/** @type {Record<string, { addon: boolean, flags: string[] }>} */
const RUNS = {
  with_addon: { addon: true, flags: [] },
  with_addon_checkpointing: { addon: true, flags: ['--gradient-checkpointing'] },
  without_addon: { addon: false, flags: [] },
};
const LENGTHS = [24, 32, 40];
const VALIDATION_IMAGES = 200;
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const shape = { ...shapeNamed(values.shape), batch: Number(values.batch) };
const print = (/** @type {string} */ key, /** @type {string | number} */ value) =>
  console.log(`train_memory.${key}: ${value}`);

/** The configuration files of a run. @param {string} folder */
async function writeConfigs(folder) {
  const model = {
    vision_backbone: shape.vision,
    text_backbone: shape.text,
    max_length_corpus: Math.max(...LENGTHS),
    dim: shape.projection,
    dropout: 0,
  };
  const training = {
    output_dir: join(folder, 'run'),
    learning_rate: OPTIMIZER.learningRate,
    weight_decay: OPTIMIZER.weightDecay,
    batch_size: shape.batch,
    epochs: 1,
    dataloader_num_workers: 2,
    gradient_accumulation_steps: 1,
    warmup_steps_factor: 1,
    early_stopping: 0,
    device: 'cpu',
    fp16: 0,
    num_workers_dataloader: 2,
    scheduler_mode: 'min',
    seed: 1,
  };
  await writeFile(join(folder, 'model.json'), JSON.stringify(model));
  const none = { ...training, epochs: 0 };
  const heads = shape.frozen ? { ...training, augmentation: 'mild' } : none;
  const everything = values.lock ? { ...training, lock_tower: values.lock } : training;
  await writeFile(join(folder, 'heads.json'), JSON.stringify(heads));
  await writeFile(join(folder, 'training.json'), JSON.stringify(shape.frozen ? none : everything));
}

/** One whole run. @param {string} folder @param {string} label one of RUNS */
async function train(folder, label) {
  const run = RUNS[label];
  if (run === undefined) throw new Error(`unknown run "${label}": ${Object.keys(RUNS).join(', ')}`);
  const { addon, flags } = run;
  const file = (/** @type {string} */ name) => join(folder, name);
  const imports = ['../shared/report-peak.mjs', ...(addon ? [] : ['../shared/without-addon.mjs'])];
  const preloaded = imports.flatMap((path) => ['--import', here(path)]);
  const command = [
    'pretrain',
    '--data',
    file('data'),
    '--output',
    file(label),
    '--backend',
    'onnxruntime',
    ...flags,
  ];
  const configs = { model: 'model', 'freeze-training': 'heads', training: 'training' };
  for (const [name, config] of Object.entries(configs))
    command.push(`--${name}-config`, file(`${config}.json`));
  const trainer = here('../../apps/trainer/dist/main.js');
  const child = spawn(process.execPath, [...preloaded, trainer, ...command], {
    env: { ...process.env, PEAK_RSS_FILE: file(`${label}.peak`) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (part) => (output += part));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the trainer ended with ${code}:\n${output}`);
  const metrics = (await readFile(join(file(label), 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const steps = metrics.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'step');
  const peak = Number(await readFile(file(`${label}.peak`), 'utf8'));
  const [, memory, minutes, rest] =
    /up to about ([\d.]+) GB of memory .* about (\d+):([\d:]+)$/m.exec(output) ?? [];
  const planned = (1e9 * Number(memory)) / 2 ** 20;
  print(`${label}.peak_rss`, `${peak} MB`);
  print(`${label}.planned`, `${planned.toFixed(0)} MB, ${(planned / peak).toFixed(2)} of the peak`);
  /** @param {(step: Record<string, number>) => number} value @param {object[]} of */
  const sum = (value, of) => of.reduce((total, step) => total + value(/** @type {never} */ (step)), 0);
  const seconds = sum((step) => step.seconds ?? 0, steps);
  print(`${label}.step`, `${median(steps.slice(2).map((step) => 1000 * step.seconds)).toFixed(0)} ms`);
  print(`${label}.steps`, `${seconds.toFixed(0)} s, planned with validation ${minutes}:${rest}`);
  // The first step has nothing to wait behind.
  const later = steps.slice(1);
  const waiting = sum((step) => step.data_seconds ?? 0, later) / sum((step) => step.seconds ?? 0, later);
  print(`${label}.waiting_for_data`, `${(100 * waiting).toFixed(1)} %`);
  return peak;
}

async function trainTorch() {
  const python = process.env.PYTHON ?? 'python3';
  const description = JSON.stringify({ ...shape, optimizer: OPTIMIZER });
  const side = startSide('torch', python, [here('../peers/train_step.py'), description]);
  let peak = 0;
  /** @type {number[]} */
  const ms = [];
  for (let round = 0; round < 2; round++) {
    for (const tokens of LENGTHS) {
      const result = await side.runWith(1, tokens);
      if (round > 0) ms.push(...result.ms);
      peak = result.peakRssMb;
    }
  }
  side.stop();
  print('torch.peak_rss', `${peak} MB`);
  print('torch.step', `${median(ms).toFixed(0)} ms`);
  return peak;
}

const folder = await mkdtemp(join(tmpdir(), 'train-memory-'));
try {
  await writeNoise(
    join(folder, 'data'),
    shape.batch * Number(values.steps),
    VALIDATION_IMAGES,
    shape.image + 16,
  );
  await writeConfigs(folder);
  /** @type {Record<string, number>} */
  const peaks = {};
  const runs = values.run.length > 0 ? values.run : Object.keys(RUNS);
  for (const label of runs) peaks[label] = await train(folder, label);
  for (const peer of values.peer) {
    if (peer !== 'torch') throw new Error(`unknown peer "${peer}": torch`);
    const torch = await trainTorch();
    for (const [label, peak] of Object.entries(peaks))
      print(`${label}.rss_ratio_torch`, (peak / torch).toFixed(2));
  }
} finally {
  await rm(folder, { recursive: true });
}
