/**
 * `npm run gpu:check [-- options]`: on a machine with an NVIDIA GPU, checks gradients and training steps on it, times
 * steps beside PyTorch, trains the sample dataset through the trainer, and writes one Markdown table. Each row comes
 * from a process of its own and is written as soon as it is there, so that whatever happens the rows before it remain.
 *
 * Exit codes: 0 when no row failed, 1 when one did, 2 when it could not start.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cudaFolders } from '../../apps/trainer/build/backend/native-folder.js';
import { OPTIMIZER, shapeNamed } from '../../bench/train-step/shapes.mjs';
import { median } from '../../bench/shared/measure.mjs';
import { OLDEST_CUDA13_DRIVER } from '../native/cuda-wheels.mjs';
import { checkDriver, readDriver } from '../native/driver.mjs';
import { formatCheck } from '../native/requirements.mjs';
import { pythonCudaFolders } from './python-libraries.mjs';

const HELP = `Usage: npm run gpu:check [-- options]

  --device cuda|cpu   cpu: a rehearsal of everything that needs no GPU (default: cuda)
  --output FILE       where the table goes (default: gpu-check.md)
  --shapes a,b,d      steps of bench/train-step that are timed; empty: none
  --batch N           instead of the shapes' batch sizes
  --steps N           timed steps of each (default: 20)
  --minutes N         no row begins later than this (default: 5)
  --no-torch          without PyTorch (PYTHON names the interpreter, default python3)
  --no-train          without training the sample dataset
  --help              show this text`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const here = (/** @type {string} */ name) => path.join(ROOT, name);

/**
 * @typedef {object} Row
 * @property {string} what
 * @property {string} found
 * @property {'ok' | 'absent' | 'FAILED'} outcome  absent: an optional engine that this machine does not have
 */
/** @typedef {Omit<Row, 'what'>} Result */

function readOptions() {
  const { values } = parseArgs({
    options: {
      device: { type: 'string', default: 'cuda' },
      output: { type: 'string', default: 'gpu-check.md' },
      shapes: { type: 'string', default: 'a,b,d' },
      batch: { type: 'string' },
      steps: { type: 'string', default: '20' },
      minutes: { type: 'string', default: '5' },
      'no-torch': { type: 'boolean', default: false },
      'no-train': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  if (values.device !== 'cuda' && values.device !== 'cpu')
    throw new TypeError(`--device must be cuda or cpu, found '${values.device}'`);
  const positive = (/** @type {'steps' | 'minutes' | 'batch'} */ name) => {
    const number = Number(values[name]);
    if (!(number > 0)) throw new TypeError(`--${name} must be a number above 0, found '${values[name]}'`);
    return number;
  };
  const shapes = values.shapes.split(',').filter(Boolean);
  for (const shape of shapes) shapeNamed(shape);
  return {
    device: values.device,
    output: path.resolve(values.output),
    shapes,
    batch: values.batch === undefined ? undefined : positive('batch'),
    steps: positive('steps'),
    deadline: Date.now() + 60_000 * positive('minutes'),
    torch: !values['no-torch'],
    train: !values['no-train'],
  };
}

/** A program's standard output; its failure or a time-out is an error that ends with its last words. */
const run = (
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {number} */ deadline,
  /** @type {string} */ input = '',
) =>
  new Promise((/** @type {(output: string) => void} */ resolve, reject) => {
    const left = deadline - Date.now();
    if (left <= 0) return reject(new Error('not run: the time was up'));
    const child = spawn(command, args, { cwd: ROOT, stdio: 'pipe', timeout: left, killSignal: 'SIGKILL' });
    let output = '';
    let errors = '';
    child.stdout.on('data', (/** @type {Buffer} */ text) => (output += String(text)));
    child.stderr.on('data', (/** @type {Buffer} */ text) => (errors += String(text)));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const lines = errors.split('\n').filter((line) => line.trim() && !/^\s+at |^Node\.js v/.test(line));
      const said = lines.find((line) => /Error: /.test(line)) ?? lines.at(-1) ?? 'nothing';
      reject(new Error(signal ? `ended by ${signal} (time-out?): ${said}` : said.trim()));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });

/** The JSON object on the last line that is one. @param {string} output */
const answerOf = (output) =>
  JSON.parse(
    output
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('{')) ?? '{}',
  );

const side = async (/** @type {object} */ job, /** @type {number} */ deadline) =>
  answerOf(await run(process.execPath, [here('bench/gpu-check/side.mjs'), JSON.stringify(job)], deadline));

const milliseconds = (/** @type {number[]} */ ms) =>
  `median ${median(ms).toFixed(2)} ms, fastest ${Math.min(...ms).toFixed(2)} ms`;

/** Largest differences that count as equal: gradients relative to the largest, losses absolute. */
const TOLERANCE = { gradients: 1e-3, loss: 1e-3 };

/** @param {string} engine @param {number} deadline @returns {Promise<Result>} */
async function trajectoryRow(engine, deadline) {
  const answer = await side({ task: 'trajectory', engine, steps: 10 }, deadline);
  if (answer.absent) return { found: answer.absent, outcome: engine === 'cuda' ? 'FAILED' : 'absent' };
  const { gradients, loss, steps } = answer;
  const found = `gradients differ by ${gradients.toExponential(1)}, losses of ${steps} steps by ${loss.toExponential(1)}`;
  if (gradients <= TOLERANCE.gradients && loss <= TOLERANCE.loss) return { found, outcome: 'ok' };
  return { found: `${found}: more than ${TOLERANCE.loss}`, outcome: 'FAILED' };
}

/** @param {ReturnType<typeof readOptions>} options @param {string} shape @param {boolean} tf32 @returns {Promise<Result>} */
async function timingRow({ device, batch, steps, deadline }, shape, tf32) {
  const answer = await side({ task: 'timing', shape, batch, kind: device, tf32, steps }, deadline);
  const { ms, first, stateBytesMoved, nodes, updateNodes, notCaptured } = answer;
  const graph = device === 'cpu' ? '' : notCaptured ? `; no CUDA graph: ${notCaptured}` : '; as a CUDA graph';
  const details = `first step ${(first / 1000).toFixed(1)} s; ${nodes} + ${updateNodes} nodes; ${stateBytesMoved} bytes of state moved`;
  return {
    found: `${milliseconds(ms)} (${details}${graph})`,
    outcome: stateBytesMoved === 0 ? 'ok' : 'FAILED',
  };
}

/** @param {ReturnType<typeof readOptions>} options @param {string} name @param {boolean} tf32 @returns {Promise<Result>} */
async function torchRow({ device, batch, steps, deadline }, name, tf32) {
  const shape = shapeNamed(name);
  const job = { ...shape, batch: batch ?? shape.batch, optimizer: OPTIMIZER, device, tf32 };
  const output = await run(
    process.env.PYTHON ?? 'python3',
    [here('bench/peers/train_step.py'), JSON.stringify(job)],
    deadline,
    `run 5\nrun ${steps}\n`,
  );
  return { found: milliseconds(answerOf(output).ms), outcome: 'ok' };
}

/** Few images and epochs: that it trains, not how well. @param {ReturnType<typeof readOptions>} options @returns {Promise<Result>} */
async function trainRow({ device, deadline }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'gpu-check-'));
  const trainer = (/** @type {string[]} */ args) =>
    run(process.execPath, [here('apps/trainer/dist/main.js'), ...args], deadline);
  try {
    const data = path.join(folder, 'data');
    const size = [
      '--train',
      device === 'cuda' ? '2000' : '64',
      '--val',
      device === 'cuda' ? '200' : '32',
      '--held-out',
      '8',
    ];
    await trainer(['sample-data', '--output', data, ...size]);
    const config = (/** @type {string} */ name) => here(`input/sample/${name}.json`);
    const started = performance.now();
    await trainer([
      'pretrain',
      ...['--data', data, '--output', path.join(folder, 'run')],
      ...['--model-config', config('model_config')],
      ...['--freeze-training-config', config('freeze_training_config')],
      ...['--training-config', config('training_config')],
      ...['--feature-cache', path.join(folder, 'features')],
      ...['--freeze-epochs', '1', '--epochs', device === 'cuda' ? '3' : '1'],
      ...['--backend', device === 'cuda' ? 'onnxruntime-cuda' : 'onnxruntime'],
    ]);
    const seconds = (performance.now() - started) / 1000;
    const checkpoint = path.join(folder, 'run/checkpoint');
    const output = await trainer([
      'evaluate',
      '--checkpoint',
      checkpoint,
      '--data',
      data,
      '--json',
      '--backend',
      'onnxruntime',
    ]);
    const { text_to_image: found } = answerOf(output).retrieval;
    return {
      found: `${seconds.toFixed(0)} s; text to image R@1 ${found.r1.toFixed(3)}, R@10 ${found.r10.toFixed(3)}`,
      outcome: 'ok',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {ReturnType<typeof readOptions>} options @returns {[what: string, row: () => Promise<Result>][]} */
function plan(options) {
  const onGpu = options.device === 'cuda';
  const precisions = onGpu ? [false, true] : [false];
  const label = (/** @type {boolean} */ tf32) => (tf32 ? 'tf32' : 'fp32');
  const engines = onGpu ? ['cuda', 'webgpu', 'tfjs-node-gpu'] : ['device-cpu', 'webgpu', 'tfjs-node'];
  return [
    ...engines.map(
      (engine) =>
        /** @type {const} */ ([
          `gradients and steps, ${engine} beside the CPU`,
          () => trajectoryRow(engine, options.deadline),
        ]),
    ),
    ...(options.train
      ? [/** @type {const} */ (['pretrain on the sample dataset', () => trainRow(options)])]
      : []),
    ...options.shapes.flatMap((shape) =>
      precisions.flatMap((tf32) => [
        /** @type {const} */ ([`step ${shape}, ${label(tf32)}, ours`, () => timingRow(options, shape, tf32)]),
        ...(options.torch
          ? [
              /** @type {const} */ ([
                `step ${shape}, ${label(tf32)}, PyTorch eager`,
                () => torchRow(options, shape, tf32),
              ]),
            ]
          : []),
      ]),
    ),
  ].map(([what, row]) => [what, row]);
}

/** @param {string} device @param {readonly Row[]} rows */
function tableOf(device, rows) {
  const { gpu, version } = readDriver();
  const title =
    device === 'cuda'
      ? `${gpu ?? 'an unknown GPU'}, driver ${version ?? 'unknown'}, Node.js ${process.versions.node}`
      : `A rehearsal on the CPU, Node.js ${process.versions.node}: no time in this table is one of a GPU`;
  const cell = (/** @type {string} */ text) => text.replaceAll('|', '/').replaceAll(/\s+/g, ' ');
  const lines = rows.map(({ what, found, outcome }) => `| ${cell(what)} | ${outcome} | ${cell(found)} |`);
  return [`${title}.`, '', '| check | | found |', '|---|---|---|', ...lines, ''].join('\n');
}

/** @param {ReturnType<typeof readOptions>} options */
async function check(options) {
  process.env.CLIP_CUDA_PATH = [process.env.CLIP_CUDA_PATH, ...pythonCudaFolders(ROOT)]
    .filter(Boolean)
    .join(':');
  if (options.device === 'cuda') {
    const missing = checkDriver(readDriver(), OLDEST_CUDA13_DRIVER).filter(({ ok }) => !ok);
    if (missing.length > 0) {
      console.error(
        `gpu:check: this machine has no GPU that CUDA 13 runs on\n${missing.map((each) => formatCheck(each)).join('\n')}\n--device cpu rehearses what needs none`,
      );
      return 2;
    }
    console.log(`gpu:check: CUDA libraries are looked for in ${cudaFolders().join(', ')}`);
  }
  /** @type {Row[]} */
  const rows = [];
  for (const [what, row] of plan(options)) {
    const started = Date.now();
    const result = await row().catch((error) => ({
      found: String(error.message ?? error),
      outcome: /** @type {const} */ ('FAILED'),
    }));
    rows.push({ what, ...result });
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(`${result.outcome.padEnd(6)}  ${what}: ${result.found} [${seconds} s]`);
    writeFileSync(options.output, tableOf(options.device, rows));
  }
  console.log(`\n${tableOf(options.device, rows)}`);
  return rows.some(({ outcome }) => outcome === 'FAILED') ? 1 : 0;
}

try {
  process.exitCode = await check(readOptions());
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`gpu:check: ${error.message}`);
  process.exitCode = 2;
}
