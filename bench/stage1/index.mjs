/**
 * Stage 1 from nothing to its end, and again with the features that it left: seconds of whole processes.
 *
 *   npm run bench -- stage1 --data COCO --vision FOLDER --text FOLDER [--images 1500] [--epochs 30] [--peer torch]
 *
 * Ours is `trainer pretrain` with frozen towers: features of all images and captions, heads from features, validation after
 * each epoch, the checkpoint with its ONNX models and the report. PyTorch (peers/stage1.py) does the same without ONNX
 * models and report. `--images` takes that many of the training images and a sixth as many of the others; without it all.
 * PYTHON names the interpreter with PyTorch 2.13, torchvision and transformers 4.57.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    vision: { type: 'string' },
    text: { type: 'string' },
    images: { type: 'string' },
    epochs: { type: 'string', default: '30' },
    peer: { type: 'string', multiple: true, default: [] },
  },
});
const { data, vision, text } = values;
const unknown = values.peer.find((peer) => peer !== 'torch');
if (data === undefined || vision === undefined || text === undefined || unknown !== undefined) {
  console.error(
    unknown ? `unknown peer "${unknown}": torch` : '--data, --vision and --text are needed: see bench/stage1',
  );
  process.exit(2);
}
const DIM = 256;
const WORKERS = 2;
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const print = (/** @type {string} */ key, /** @type {string | number} */ value) =>
  console.log(`stage1.${key}: ${value}`);

/** A COCO folder with some of the images. @param {string} folder @param {string} source with its images in images/SPLIT */
async function writeSubset(folder, source) {
  await mkdir(join(folder, 'annotations'), { recursive: true });
  for (const [split, share] of /** @type {const} */ ([
    ['train2017', 1],
    ['val2017', 1 / 6],
  ])) {
    const name = `captions_${split}.json`;
    /** @type {{ images: { id: number, file_name: string }[], annotations: { image_id: number }[] }} */
    const content = JSON.parse(await readFile(join(source, 'annotations', name), 'utf8'));
    const count = values.images === undefined ? Infinity : Math.ceil(Number(values.images) * share);
    const images = content.images.slice(0, count);
    const ids = new Set(images.map(({ id }) => id));
    const annotations = content.annotations.filter(({ image_id }) => ids.has(image_id));
    await writeFile(join(folder, 'annotations', name), JSON.stringify({ ...content, images, annotations }));
    await mkdir(join(folder, 'images', split), { recursive: true });
    for (const { file_name } of images)
      await copyFile(join(source, 'images', split, file_name), join(folder, 'images', split, file_name));
    print(`${split}.images`, images.length);
    print(`${split}.captions`, annotations.length);
  }
}

/** @param {string} folder */
async function writeConfigs(folder) {
  const model = { vision_backbone: vision, text_backbone: text, max_length_corpus: -1, dim: DIM };
  const training = {
    output_dir: join(folder, 'run'),
    learning_rate: 1e-3,
    weight_decay: 0.1,
    batch_size: 256,
    epochs: Number(values.epochs),
    dataloader_num_workers: WORKERS,
    gradient_accumulation_steps: 1,
    warmup_steps_factor: 4,
    early_stopping: 0,
    device: 'cpu',
    fp16: 0,
    num_workers_dataloader: WORKERS,
    scheduler_mode: 'max',
    seed: 1,
    lr_scheduler_type: 'cosine',
  };
  const config = { ...model, dropout: 0.1, text_pooling: 'mean' };
  await writeFile(join(folder, 'model.json'), JSON.stringify(config));
  await writeFile(join(folder, 'heads.json'), JSON.stringify(training));
  await writeFile(join(folder, 'training.json'), JSON.stringify({ ...training, epochs: 0 }));
}

/**
 * Runs a command to its end. @param {string} label @param {string} command @param {string[]} args
 * @returns {Promise<{ seconds: number, output: string }>}
 */
async function timed(label, command, args) {
  const started = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PEAK_RSS_FILE: join(folder, 'peak') },
  });
  let output = '';
  child.stdout.on('data', (part) => (output += part));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${label} ended with ${code}:\n${output}`);
  const seconds = (performance.now() - started) / 1000;
  print(`${label}`, `${seconds.toFixed(1)} s`);
  return { seconds, output };
}

/** @param {string} label */
async function ours(label) {
  const file = (/** @type {string} */ name) => join(folder, name);
  const configs = { model: 'model', 'freeze-training': 'heads', training: 'training' };
  const args = ['--import', here('../shared/report-peak.mjs'), here('../../apps/trainer/dist/main.js')];
  args.push('pretrain', '--data', file('data'), '--output', file(label), '--backend', 'onnxruntime');
  args.push('--feature-cache', file('features'), '--workers', String(WORKERS));
  for (const [name, config] of Object.entries(configs)) args.push(`--${name}-config`, file(`${config}.json`));
  const { seconds, output } = await timed(`ours.${label}`, process.execPath, args);
  for (const line of output.split(/[\r\n]+/))
    if (/features of (\d+) of \1 /.test(line)) console.log(`ours.${label} ${line.trim()}`);
  print(`ours.${label}.peak_rss`, `${await readFile(file('peak'), 'utf8')} MB`);
  return seconds;
}

/** @param {string} label */
async function torch(label) {
  const settings = {
    data: join(folder, 'data'),
    vision,
    text,
    cache: join(folder, 'torch'),
    output: join(folder, 'heads.pt'),
    epochs: Number(values.epochs),
    dim: DIM,
    dropout: 0.1,
    imageBatch: 64,
    textBatch: 256,
    maxLength: 64,
    workers: WORKERS,
    threads: WORKERS,
  };
  await mkdir(settings.cache, { recursive: true });
  const python = process.env.PYTHON ?? 'python3';
  const { seconds, output } = await timed(`torch.${label}`, python, [
    here('../peers/stage1.py'),
    JSON.stringify(settings),
  ]);
  for (const line of output.trim().split('\n')) console.log(`torch.${label} ${line}`);
  return seconds;
}

const folder = await mkdtemp(join(tmpdir(), 'stage1-'));
try {
  await writeSubset(join(folder, 'data'), resolve(data));
  await writeConfigs(folder);
  for (const label of ['cold', 'warm']) {
    const own = await ours(label);
    if (values.peer.length === 0) continue;
    print(`${label}.ratio_torch`, (own / (await torch(label))).toFixed(2));
  }
} finally {
  await rm(folder, { recursive: true });
}
