/**
 * A replayed function on the WebGPU provider: on a GPU where there is one, else on SwiftShader, the software Vulkan device that comes
 * with Chromium.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Outcome {
  losses: number[];
  trained: Record<string, number[]>;
  onDevice: number;
  written: number[];
  again: number;
}

/** Chromium's folder has the device and a Vulkan loader. */
const CHROMIUM = '/usr/lib/chromium';
const SOFTWARE_DEVICE = `${CHROMIUM}/vk_swiftshader_icd.json`;
const NO_DEVICE = 3;

function train(provider: string): { status: number | null; errors: string; outcome: () => Outcome } {
  const script = fileURLToPath(new URL('./webgpu/train.mjs', import.meta.url));
  const software = existsSync(SOFTWARE_DEVICE)
    ? { VK_ICD_FILENAMES: SOFTWARE_DEVICE, LD_LIBRARY_PATH: CHROMIUM }
    : {};
  const env = { ...software, ...process.env };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, provider], {
    env,
    encoding: 'utf8',
  });
  return { status, errors: stderr, outcome: () => JSON.parse(stdout) as Outcome };
}

const webgpu = train('webgpu');
const reason =
  webgpu.status === NO_DEVICE ? ' (skipped: no WebGPU device and no Chromium with SwiftShader)' : '';

describe.skipIf(webgpu.status === NO_DEVICE)(`a replayed function on WebGPU${reason}`, () => {
  it('trains as on the CPU, with its state on the device between steps', () => {
    expect(webgpu.status, webgpu.errors).toBe(0);
    const cpu = train('cpu').outcome();
    const gpu = webgpu.outcome();
    expect(cpu.onDevice).toBe(0);
    expect(gpu.onDevice).toBe(4);
    const close = (found: number[], expected: number[]) => {
      expect(found).toHaveLength(expected.length);
      found.forEach((x, i) => {
        expect(x).toBeCloseTo(expected[i]!, 4);
      });
    };
    close(gpu.losses, cpu.losses);
    for (const name of Object.keys(cpu.trained)) close(gpu.trained[name]!, cpu.trained[name]!);
    close(gpu.written, cpu.written);
    close([gpu.again], [cpu.again]);
  });
});
