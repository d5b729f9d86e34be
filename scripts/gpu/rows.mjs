/** The rows of gpu:check's table: each is measured by a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { OPTIMIZER, shapeNamed } from '../../bench/train-step/shapes.mjs';
import { median } from '../../bench/shared/measure.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const here = (/** @type {string} */ name) => path.join(ROOT, name);

/**
 * @typedef {object} Row
 * @property {string} what
 * @property {string} found
 * @property {'ok' | 'absent' | 'FAILED'} outcome  absent: an optional engine that this machine does not have
 */
/** @typedef {Omit<Row, 'what'>} Result */

/**
 * @typedef {object} Options
 * @property {'cuda' | 'cpu'} device
 * @property {number | undefined} batch  instead of the shapes' batch sizes
 * @property {number} steps  timed steps
 * @property {string} python  interpreter with PyTorch
 */
/** How a step computes: float32, with products in TensorFloat-32, or in mixed precision. @typedef {'fp32' | 'tf32' | 'fp16'} Precision */

/** A program's standard output; its failure or a time-out is an error that ends with its last words. */
const run = (
  /** @type {string} */ command,
  /** @type {string[]} */ args,
  /** @type {number} */ deadline,
  /** @type {string} */ input = '',
) =>
  new Promise((/** @type {(output: string) => void} */ resolve, reject) => {
    const left = Math.floor(deadline - Date.now());
    if (left <= 0) return reject(new Error('not finished: its time was up'));
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

/** Largest difference that counts as equal: of gradients relative to the largest, of losses absolute. */
const TOLERANCE = { fp32: 1e-3, tf32: 1e-2, fp16: 1e-2 };

/**
 * Ten steps of a small model beside the same in float32 on the CPU.
 * @param {string} engine @param {Precision} precision @param {number} deadline @returns {Promise<Result>}
 */
export async function trajectoryRow(engine, precision, deadline) {
  const answer = await side({ task: 'trajectory', engine, mixed: precision === 'fp16', steps: 10 }, deadline);
  if (answer.absent) return { found: answer.absent, outcome: engine === 'cuda' ? 'FAILED' : 'absent' };
  const tolerance = TOLERANCE[precision];
  const { gradients, loss, steps } = answer;
  const found = `gradients differ by ${gradients.toExponential(1)}, losses of ${steps} steps by ${loss.toExponential(1)}`;
  if (gradients <= tolerance && loss <= tolerance) return { found, outcome: 'ok' };
  return { found: `${found}: more than ${tolerance}`, outcome: 'FAILED' };
}

/** @param {Precision} precision */
const flagsOf = (precision) => ({ tf32: precision === 'tf32', mixed: precision === 'fp16' });

/** @param {Options} options @param {string} shape @param {Precision} precision @param {number} deadline @returns {Promise<Result>} */
export async function timingRow({ device, batch, steps }, shape, precision, deadline) {
  const job = { task: 'timing', shape, batch, kind: device, ...flagsOf(precision), steps };
  const answer = await side(job, deadline);
  const { ms, first, stateBytesMoved, nodes, updateNodes, notCaptured } = answer;
  const graph = device === 'cpu' ? '' : notCaptured ? `; no CUDA graph: ${notCaptured}` : '; as a CUDA graph';
  const details = `first step ${(first / 1000).toFixed(1)} s; ${nodes} + ${updateNodes} nodes; ${stateBytesMoved} bytes of state moved`;
  return {
    found: `${milliseconds(ms)} (${details}${graph})`,
    outcome: stateBytesMoved === 0 ? 'ok' : 'FAILED',
  };
}

/** @param {Options} options @param {string} name @param {Precision} precision @param {number} deadline @returns {Promise<Result>} */
export async function torchRow({ device, batch, steps, python }, name, precision, deadline) {
  const shape = shapeNamed(name);
  const job = { ...shape, batch: batch ?? shape.batch, optimizer: OPTIMIZER, device, ...flagsOf(precision) };
  const program = here('bench/peers/train_step.py');
  try {
    const output = await run(python, [program, JSON.stringify(job)], deadline, `run 5\nrun ${steps}\n`);
    return { found: milliseconds(answerOf(output).ms), outcome: 'ok' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!/ENOENT|No module named/.test(reason)) throw error;
    return { found: `${python} has no PyTorch with transformers: ${reason}`, outcome: 'absent' };
  }
}

/** Few images and epochs: that it trains, not how well. @param {Options} options @param {number} deadline @returns {Promise<Result>} */
export async function trainRow({ device }, deadline) {
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
