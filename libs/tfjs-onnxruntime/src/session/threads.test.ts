import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { threadOptions } from './threads.js';

const hasTaskset = (() => {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return process.platform === 'linux';
  } catch {
    return false;
  }
})();

describe('threads of a session', () => {
  it('are left to ONNX Runtime where the process may use every core', () => {
    expect(threadOptions(8, 8)).toEqual({});
  });

  it('are no more than the cores that the process may use', () => {
    expect(threadOptions(3, 8)).toEqual({ intraOpNumThreads: 3 });
  });

  it.skipIf(!hasTaskset)('a process on one core starts none beside its own', () => {
    const script = `
      import { readdirSync } from 'node:fs';
      import '@tensorflow/tfjs-layers';
      import * as tf from '@tensorflow/tfjs-core';
      import { ReplayedFunction } from 'tfjs-onnxruntime';
      const threads = () => readdirSync('/proc/self/task').length;
      await tf.setBackend('onnxruntime');
      const x = { data: new Float32Array(512 * 512), shape: [512, 512], dtype: 'float32' };
      async function threadsAfter(sessionOptions) {
        const product = (_, { x }) => ({ state: {}, outputs: { y: tf.sum(tf.matMul(x, x)) } });
        await new ReplayedFunction(product, {}, { sessionOptions }).run({ x });
        return threads();
      }
      const before = await threadsAfter({ intraOpNumThreads: 1 });
      console.log((await threadsAfter({})) - before);`;
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const added = execFileSync('taskset', ['-c', '0', ...node], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    });
    expect(Number(added)).toBe(0);
  });
});
