/** Runs the built trainer as a user does: plain node, its own process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  finished: Promise<Finished>;
}

/** V8's optimising compilers take an eighth of the processor time of a run of seconds; only longer ones get it back. */
const QUICK_START = ['--liftoff-only', '--no-opt', '--max-lazy'];

export function start(args: readonly string[], node: readonly string[] = [process.execPath]): Running {
  const [program = '', ...options] = node;
  const child = spawn(program, [...options, ...QUICK_START, MAIN, ...args], { cwd: REPOSITORY });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished };
}

export const trainer = (...args: string[]): Promise<Finished> => start(args).finished;

/**
 * The same with the number of threads that ONNX Runtime started for each session, on some cores alone where they are named. None
 * are counted, and all cores are used, where the system is not Linux.
 * @param folder for a file
 * @param cores as taskset names them
 */
export async function countThreads(
  args: readonly string[],
  folder: string,
  cores?: string,
): Promise<Finished & { threads: number[] }> {
  if (process.platform !== 'linux') return { ...(await trainer(...args)), threads: [] };
  const file = path.join(await mkdtemp(path.join(folder, 'threads-')), 'threads');
  const preload = ['--import', path.join(REPOSITORY, 'scripts/session-threads.mjs')];
  const command = ['env', `SESSION_THREADS=${file}`, process.execPath, ...preload];
  const finished = await start(args, cores ? ['taskset', '-c', cores, ...command] : command).finished;
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return { ...finished, threads: lines.map(Number) };
}

export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'trainer-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

const TINY_TOWER = {
  num_hidden_layers: 1,
  num_attention_heads: 2,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};

export const TINY_MODEL = {
  vision_backbone: {
    model_type: 'vit',
    image_size: 32,
    patch_size: 16,
    hidden_size: 32,
    intermediate_size: 64,
    ...TINY_TOWER,
  },
  text_backbone: { model_type: 'roberta', hidden_size: 32, intermediate_size: 64, ...TINY_TOWER },
  max_length_corpus: -1,
  dim: 16,
  dropout: 0,
};

export const TINY_TRAINING = {
  output_dir: 'unused',
  learning_rate: 1e-3,
  weight_decay: 1e-2,
  batch_size: 8,
  epochs: 1,
  dataloader_num_workers: 1,
  gradient_accumulation_steps: 1,
  warmup_steps_factor: 1,
  early_stopping: 0,
  device: 'cpu',
  fp16: 0,
  num_workers_dataloader: 1,
  scheduler_mode: 'min',
  seed: 5,
};

const WANDB_OFF = { WB_ENTITY: 'XXXXXX', WB_PROJECT: 'XXXXXX', WB_KEY: 'XXXXXX' };

export interface Configs {
  model?: Record<string, unknown>;
  heads?: Record<string, unknown>;
  everything?: Record<string, unknown>;
}

/** Writes configuration files with changes to the tiny ones into a new folder, and gives the flags that name them. */
export async function configFlags(
  folder: string,
  { model, heads, everything }: Configs = {},
): Promise<string[]> {
  const files: [flag: string, content: unknown][] = [
    ['model-config', { ...TINY_MODEL, ...model }],
    ['freeze-training-config', { ...TINY_TRAINING, ...heads }],
    ['training-config', { ...TINY_TRAINING, ...everything }],
    ['wandb-config', WANDB_OFF],
  ];
  const flags: string[] = [];
  const own = await mkdtemp(path.join(folder, 'config-'));
  for (const [flag, content] of files) {
    const file = path.join(own, `${flag}.json`);
    await writeFile(file, JSON.stringify(content));
    flags.push(`--${flag}`, file);
  }
  return flags;
}
