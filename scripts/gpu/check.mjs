/**
 * `npm run gpu:check [-- options]`: on a machine with an NVIDIA GPU, checks gradients and training steps on it, times
 * steps beside PyTorch, trains the sample dataset through the trainer, and writes one Markdown table. Each row comes
 * from a process of its own and is written as soon as it is there, so that whatever happens the rows before it remain.
 *
 * Exit codes: 0 when no row failed, 1 when one did, 2 when it could not start.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cudaFolders } from '../../apps/trainer/build/backend/native-folder.js';
import { shapeNamed } from '../../bench/train-step/shapes.mjs';
import { OLDEST_CUDA13_DRIVER } from '../native/cuda-wheels.mjs';
import { checkDriver, readDriver } from '../native/driver.mjs';
import { formatCheck } from '../native/requirements.mjs';
import { findPython, pythonCudaFolders } from './python-libraries.mjs';
import { timingRow, torchRow, trainRow, trajectoryRow } from './rows.mjs';

const HELP = `Usage: npm run gpu:check [-- options]

  --device cuda|cpu   cpu: a rehearsal of everything that needs no GPU (default: cuda)
  --output FILE       where the table goes (default: gpu-check.md)
  --shapes a,b,d      steps of bench/train-step that are timed; empty: none
  --batch N           instead of the shapes' batch sizes
  --steps N           timed steps of each (default: 20)
  --minutes N         no row begins later than this, and none takes more than half of what is left (default: 5)
  --no-torch          without PyTorch (PYTHON names the interpreter; default: python3, else python)
  --no-train          without training the sample dataset
  --help              show this text`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @typedef {import('./rows.mjs').Row} Row */
/** @typedef {import('./rows.mjs').Result} Result */
/** @typedef {import('./rows.mjs').Precision} Precision */
/** Measures a row until its deadline, in milliseconds since 1970. @typedef {(deadline: number) => Promise<Result>} Measure */

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
    device: /** @type {'cuda' | 'cpu'} */ (values.device),
    python: findPython(),
    output: path.resolve(values.output),
    shapes,
    batch: values.batch === undefined ? undefined : positive('batch'),
    steps: positive('steps'),
    deadline: Date.now() + 60_000 * positive('minutes'),
    torch: !values['no-torch'],
    train: !values['no-train'],
  };
}

/** @param {ReturnType<typeof readOptions>} options @returns {[what: string, measure: Measure][]} */
function plan(options) {
  const onGpu = options.device === 'cuda';
  /** @type {Precision[]} */
  const precisions = onGpu ? ['fp32', 'tf32', 'fp16'] : ['fp32'];
  const own = onGpu ? 'cuda' : 'device-cpu';
  const others = onGpu ? ['webgpu', 'tfjs-node-gpu'] : ['webgpu', 'tfjs-node'];
  /** @type {[what: string, measure: Measure][]} */
  const checks = [
    [`gradients and steps, ${own} beside the CPU`, (end) => trajectoryRow(own, 'fp32', end)],
    [`gradients and steps in fp16, ${own} beside the CPU in fp32`, (end) => trajectoryRow(own, 'fp16', end)],
    ...others.map(
      (engine) =>
        /** @type {[string, Measure]} */ ([
          `gradients and steps, ${engine} beside the CPU`,
          (end) => trajectoryRow(engine, 'fp32', end),
        ]),
    ),
  ];
  if (options.train) checks.push(['pretrain on the sample dataset', (end) => trainRow(options, end)]);
  const timings = options.shapes.flatMap((shape) =>
    precisions.flatMap((precision) => {
      /** @type {[string, Measure][]} */
      const rows = [
        [`step ${shape}, ${precision}, ours`, (end) => timingRow(options, shape, precision, end)],
      ];
      if (options.torch)
        rows.push([
          `step ${shape}, ${precision}, PyTorch eager`,
          (end) => torchRow(options, shape, precision, end),
        ]);
      return rows;
    }),
  );
  return [...checks, ...timings];
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
  process.env.CLIP_CUDA_PATH = [process.env.CLIP_CUDA_PATH, ...pythonCudaFolders(ROOT, options.python)]
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
  const write = () => writeFileSync(options.output, tableOf(options.device, rows));
  // A place that cannot be written to is found before there is anything to lose.
  write();
  for (const [what, measure] of plan(options)) {
    const started = Date.now();
    const result = await measure(started + (options.deadline - started) / 2).catch((error) => ({
      found: String(error.message ?? error),
      outcome: /** @type {const} */ ('FAILED'),
    }));
    rows.push({ what, ...result });
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(`${result.outcome.padEnd(6)}  ${what}: ${result.found} [${seconds} s]`);
    write();
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
