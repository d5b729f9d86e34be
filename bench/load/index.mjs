/**
 * Does loading keep two copies of a checkpoint in memory? Writes a RoBERTa-base-size tower (125 M parameters) to a temporary
 * folder and loads it in a process of its own; the peak must stay below the file's size + 200 MB.
 *
 *   npm run bench -- load
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '@clip-ts/clip';
import { createTextTower } from '@clip-ts/clip/model';
import { ROBERTA_BASE as config } from '../shared/configs.mjs';

const folder = await mkdtemp(path.join(tmpdir(), 'bench-load-'));
try {
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  const file = path.join(folder, 'model.safetensors');
  const specs = createTextTower(config).specs.filter((spec) => spec.dtype !== 'int64');
  await writeSafetensors(
    file,
    specs.map(({ name, shape }) => ({
      name,
      dtype: 'F32',
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.01),
    })),
  );
  const fileMb = (await stat(file)).size / 2 ** 20;
  const loader = fileURLToPath(new URL('./loader.mjs', import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, [loader, folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`loading ended with exit code ${status}`);
  /** @type {{ ms: number, peakRssMb: number }} */
  const { ms, peakRssMb } = JSON.parse(stdout);
  console.log(`load.file: ${fileMb.toFixed(0)} MiB`);
  console.log(`load.time: ${ms.toFixed(0)} ms`);
  console.log(`load.peak_rss: ${peakRssMb} MiB`);
  console.log(`load.peak_rss_over_file: ${(peakRssMb - fileMb).toFixed(0)} MiB`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
