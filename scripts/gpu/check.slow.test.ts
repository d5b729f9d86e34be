/** The real command, as a rehearsal on the CPU and where there is no GPU. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadNative } from 'ort-native';
import { afterAll, describe, expect, it } from 'vitest';
import { torchRow } from './rows.mjs';

const CHECK = fileURLToPath(new URL('./check.mjs', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'gpu-check-test-'));
const table = path.join(folder, 'table.md');
afterAll(() => rmSync(folder, { recursive: true }));

function check(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK, '--output', table, ...args], {
    encoding: 'utf8',
    // Without programs of NVIDIA's, also where there are some.
    env: { ...process.env, PATH: path.dirname(process.execPath) },
  });
  return { status, stdout, stderr };
}

describe('gpu:check', () => {
  it.skipIf(loadNative().runtime === undefined)(
    'rehearses on the CPU all that needs no GPU, and writes a row for each check',
    () => {
      const { status, stdout } = check(
        ...['--device', 'cpu', '--shapes', 'a', '--batch', '1', '--steps', '1'],
        '--no-torch',
      );
      expect(status, stdout).toBe(0);
      const written = readFileSync(table, 'utf8');
      expect(written).toMatch(/^A rehearsal on the CPU.*: no time in this table is one of a GPU\.$/m);
      const rows = written
        .split('\n')
        .filter((line) => line.startsWith('| '))
        .slice(1);
      expect(rows.map((row) => row.split(' | ')[0])).toEqual([
        '| gradients and steps, device-cpu beside the CPU',
        '| gradients and steps in fp16, device-cpu beside the CPU in fp32',
        '| gradients and steps, webgpu beside the CPU',
        '| gradients and steps, tfjs-node beside the CPU',
        '| pretrain on the sample dataset',
        '| step a, fp32, ours',
      ]);
      expect(rows[0]).toMatch(/ \| ok \| gradients differ by .*, losses of 10 steps by /);
      expect(rows[1]).toMatch(/ \| ok \| gradients differ by [1-9]/);
      for (const optional of [rows[2], rows[3]]) expect(optional).toMatch(/ \| (?:ok|absent) \| /);
      expect(rows[4]).toMatch(/ \| ok \| \d+ s; text to image R@1 0\.\d+, R@10 0\.\d+ \|$/);
      expect(rows[5]).toMatch(/ \| ok \| median .* ms.*; \d+ \+ 36 nodes; 0 bytes of state moved\) \|$/);
    },
    180_000,
  );

  it('begins no row when the time is up, and says so in the table', () => {
    const { status } = check('--device', 'cpu', '--shapes', '', '--no-train', '--minutes', '0.00001');
    expect(status).toBe(1);
    expect(readFileSync(table, 'utf8')).toContain('| FAILED | not finished: its time was up |');
  });

  it('says of a machine without PyTorch that it is absent, which is no failure', async () => {
    const options = { device: 'cpu', batch: 1, steps: 1, python: path.join(folder, 'python') } as const;
    expect(await torchRow(options, 'a', 'fp32', Date.now() + 10_000)).toEqual({
      outcome: 'absent',
      found: expect.stringMatching(/has no PyTorch with transformers: .*ENOENT/) as string,
    });
  });

  it('finds out first that its table cannot be written', () => {
    const { status, stderr } = check('--device', 'cpu', '--output', path.join(folder, 'nowhere/table.md'));
    expect(status).toBe(2);
    expect(stderr).toContain('ENOENT');
  });

  it('refuses a machine without a GPU, and options that it does not know', () => {
    const { status, stderr } = check();
    expect(status).toBe(2);
    expect(stderr).toContain('this machine has no GPU that CUDA 13 runs on');
    expect(stderr).toContain('--device cpu rehearses what needs none');
    expect(check('--device', 'tpu')).toMatchObject({ status: 2 });
    expect(check('--device', 'cpu', '--shapes', 'z').stderr).toContain('unknown shape "z"');
    expect(check('--steps', '0').stderr).toContain("--steps must be a number above 0, found '0'");
  });
});
