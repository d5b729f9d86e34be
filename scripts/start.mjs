// `npm start`: from a fresh clone to a running service. Builds, makes the sample dataset, pretrains, evaluates, exports,
// starts the API, indexes the held-out images, shows one real answer of each kind, and keeps serving.
// Each stage is a command that also runs alone (`npx nx run trainer:pretrain --help`, …); this file only puts them in order.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt } from './ensure-built.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TRAINER = path.join(ROOT, 'apps/trainer/dist/main.js');
const API = path.join(ROOT, 'apps/api/dist/main.js');
const READY_TIMEOUT_MS = 60_000;
const IMPORT_TIMEOUT_MS = 600_000;

const HELP = `Usage: npm start -- [options]

Trains a small model on a generated dataset when there is none yet, then serves it.

Options:
  --no-serve     print the results and exit instead of serving
  --port PORT    port of the web page and API (default: 3000)
  --work DIR     folder for the sample dataset, the run and the service's data (default: data/sample)
  --help         show this text`;

/** A stage that ended with an exit code other than 0; its own message is already on the terminal. */
class StageFailed extends Error {
  /**
   * @param {string} stage
   * @param {number} exitCode
   */
  constructor(stage, exitCode) {
    super(`${stage} ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** @returns {{ serve: boolean, port: number, work: string }} */
function readOptions() {
  const { values } = parseArgs({
    options: {
      'no-serve': { type: 'boolean', default: false },
      port: { type: 'string', default: '3000' },
      work: { type: 'string', default: 'data/sample' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TypeError(`--port must be an integer from 1 to 65535, got '${values.port}'`);
  }
  return { serve: !values['no-serve'], port, work: path.resolve(ROOT, values.work) };
}

/**
 * Runs one trainer command in the foreground.
 * @param {string} title
 * @param {string[]} args
 */
async function trainer(title, args) {
  console.log(`\n== ${title}`);
  const child = spawn(process.execPath, [TRAINER, ...args], { cwd: ROOT, stdio: 'inherit' });
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
  if (exitCode !== 0) throw new StageFailed(title, exitCode);
}

/** @param {number} port */
async function assertPortFree(port) {
  await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', () => reject(new Error(`port ${port} is in use; choose another with --port`)));
    probe.listen(port, '127.0.0.1', () => probe.close(resolve));
  });
}

/** @param {string} checkpoint */
const isExported = (checkpoint) =>
  ['config.json', 'onnx/vision_model.onnx', 'onnx/text_model.onnx'].every((file) =>
    existsSync(path.join(checkpoint, file)),
  );

/** @param {string} work */
async function train(work) {
  const dataset = path.join(work, 'dataset');
  const run = path.join(work, 'run');
  const checkpoint = path.join(run, 'checkpoint');
  if (isExported(checkpoint)) {
    console.log(
      `Found a trained checkpoint in ${path.relative(ROOT, checkpoint)}; delete ${path.relative(ROOT, run)} to train again.`,
    );
    return { dataset, checkpoint };
  }
  const config = (/** @type {string} */ name) => path.join(ROOT, 'input/sample', `${name}.json`);
  await trainer('Sample dataset', ['sample-data', '--output', dataset]);
  await trainer('Pretraining, two stages', [
    'pretrain',
    ...['--data', dataset, '--output', run],
    ...['--model-config', config('model_config')],
    ...['--freeze-training-config', config('freeze_training_config')],
    ...['--training-config', config('training_config')],
  ]);
  await trainer('Evaluation', ['evaluate', '--checkpoint', checkpoint, '--data', dataset]);
  return { dataset, checkpoint };
}

/**
 * @param {string} url
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
async function request(url, init) {
  const response = await fetch(url, init);
  /** @type {any} */
  const body = await response.json();
  if (!response.ok)
    throw new Error(
      `${init?.method ?? 'GET'} ${url} answered ${response.status}: ${body.detail ?? body.title}`,
    );
  return body;
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {string} base
 * @param {() => number | null} exitCode
 */
async function untilReady(base, exitCode) {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const code = exitCode();
    if (code !== null) throw new StageFailed('The API', code);
    const ready = await fetch(`${base}/readyz`).then(
      (r) => r.ok,
      () => false,
    );
    if (ready) return;
    await pause(100);
  }
  throw new Error(`the API did not become ready within ${READY_TIMEOUT_MS / 1000} s`);
}

/**
 * Indexes the held-out images; the import is idempotent, so on later starts it ends at once.
 * @param {string} base
 * @param {string} dataset
 */
async function index(base, dataset) {
  let job = await request(`${base}/imports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path: dataset, split: 'val2017' }),
  });
  const deadline = Date.now() + IMPORT_TIMEOUT_MS;
  while (job.status === 'queued' || job.status === 'running') {
    if (Date.now() > deadline) throw new Error('indexing took too long');
    await pause(250);
    job = await request(`${base}/imports/${job.id}`);
  }
  if (job.status !== 'done')
    throw new Error(`indexing ended as '${job.status}': ${job.error ?? 'no reason given'}`);
}

/**
 * One real search and one real classification, over HTTP like any client's.
 * @param {string} base
 * @param {string} dataset
 */
async function show(base, dataset) {
  const query = 'red circle above a blue square';
  const search = await request(`${base}/search?${new URLSearchParams({ q: query, limit: '3' })}`);
  console.log(`\nSearch "${query}"`);
  for (const item of search.items) {
    console.log(`  ${item.score.toFixed(3)}  ${base}${item.url}  ${item.caption ?? ''}`);
  }

  const folder = path.join(dataset, 'images/val2017');
  const name = (await readdir(folder)).sort()[0];
  if (name === undefined) throw new Error(`${folder} holds no images`);
  const form = new FormData();
  form.append('image', new Blob([await readFile(path.join(folder, name))]), name);
  const labels = ['red circle', 'blue square', 'green triangle', 'yellow star'];
  for (const label of labels) form.append('labels', label);
  const ranked = await request(`${base}/classify`, { method: 'POST', body: form });
  console.log(`\nClassify images/val2017/${name}`);
  for (const { label, score } of ranked) console.log(`  ${score.toFixed(3)}  ${label}`);
}

async function main() {
  const { serve, port, work } = readOptions();
  await assertPortFree(port);
  console.log('== Build');
  await ensureBuilt(ROOT);
  const { dataset, checkpoint } = await train(work);

  console.log('\n== API');
  const base = `http://127.0.0.1:${port}`;
  const api = spawn(process.execPath, [API], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      // The results are printed here; the service's own lines, one for each request, would bury them.
      LOG_LEVEL: 'warn',
      ...process.env,
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: path.join(work, 'api'),
      IMPORT_ROOT: dataset,
      PORT: String(port),
    },
  });
  const ended = new Promise((resolve) => api.once('exit', (code) => resolve(code ?? 0)));
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(signal, () => api.kill(signal));
  try {
    await untilReady(base, () => api.exitCode);
    await index(base, dataset);
    await show(base, dataset);
  } catch (error) {
    api.kill('SIGTERM');
    await ended;
    throw error;
  }
  console.log(`\nWeb page    ${base}/\nSwagger UI  ${base}/docs`);
  if (!serve) api.kill('SIGTERM');
  else console.log('Serving; press Ctrl+C to stop.');
  process.exitCode = serve ? await ended : (await ended, 0);
}

main().catch((error) => {
  console.error(`npm start: ${error.message}`);
  process.exitCode = error instanceof StageFailed ? error.exitCode : error instanceof TypeError ? 2 : 1;
});
