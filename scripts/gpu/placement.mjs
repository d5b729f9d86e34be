/**
 * `npm run gpu:placement [-- --shapes a,b,c,d]`: asks ONNX Runtime's CUDA provider, on a machine without a GPU, which nodes
 * of the timed steps it takes, in float32 and in mixed precision. A step is recorded as a CUDA graph only where it takes
 * all of them. Needs a C compiler, `nm` and the libraries of `npm run native:install -- --cuda`. Exit code 1 where a node is
 * left to the CPU.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cudaFolders } from '../../apps/trainer/build/backend/native-folder.js';
import { findCudaLibraries } from '../../libs/ort-native/dist/index.js';
import { makeStandIns } from './stand-in.mjs';

const SIDE = fileURLToPath(new URL('../../bench/gpu-check/placement-side.mjs', import.meta.url));

/** Nodes that the provider left to the CPU, from ONNX Runtime's log. @param {string} log */
function onCpu(log) {
  const lines = log.split('\n');
  const nodes = lines.flatMap((line, i) => {
    if (!line.includes('Node(s) placed on [CPUExecutionProvider]')) return [];
    const count = Number(/Number of nodes: (\d+)/.exec(line)?.[1]);
    return lines.slice(i + 1, i + 1 + count).map((each) => each.replace(/^.*\]\s+/, ''));
  });
  return [...new Set(nodes)];
}

/** @param {string} folder  of the stand-ins @param {string} shape @param {string} precision */
function ask(folder, shape, precision) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SIDE, folder, shape, precision], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, LD_LIBRARY_PATH: folder },
  });
  const answer = stdout.split('\n').find((line) => line.startsWith('{'));
  if (status !== 0 || answer === undefined) throw new Error(stderr.split('\n').slice(-20).join('\n'));
  return {
    .../** @type {{ nodes: number[], notCaptured?: string }} */ (JSON.parse(answer)),
    onCpu: onCpu(stdout + stderr),
  };
}

const { values } = parseArgs({ options: { shapes: { type: 'string', default: 'a,b,c,d' } } });
const folder = mkdtempSync(path.join(tmpdir(), 'gpu-placement-'));
try {
  const { core } = findCudaLibraries(cudaFolders());
  if (core === undefined)
    throw new Error('ONNX Runtime for CUDA is not here. Fetch it with: npm run native:install -- --cuda');
  makeStandIns(folder, path.dirname(core));
  for (const shape of values.shapes.split(',')) {
    for (const precision of ['float32', 'mixed']) {
      const { nodes, notCaptured, onCpu: left } = ask(folder, shape, precision);
      const found = notCaptured
        ? `left to the CPU: ${left.join(', ') || notCaptured}`
        : 'all on CUDA, may be a CUDA graph';
      console.log(`step ${shape}, ${precision}: ${nodes.join(' + ')} nodes, ${found}`);
      if (notCaptured) process.exitCode = 1;
    }
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`gpu:placement: ${error.message}`);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true });
}
