/** tfjs-core's published suite, as `npm run conformance` runs it: part of the default tests because it takes seconds. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('conformance/run.mjs', import.meta.url));

it('passes the conformance suite of TensorFlow.js but for the listed specs', { timeout: 300_000 }, () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, '--backend', 'onnxruntime'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const summary = stdout.trim().split('\n').slice(-20).join('\n');
  expect(status, `${summary}\n${stderr.slice(-2000)}`).toBe(0);
  expect(summary).toMatch(/^4\d{3} passed, 0 failed, \d{1,2} skipped$/m);
});
