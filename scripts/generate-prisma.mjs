/**
 * Writes the typed Prisma client of prisma/schema.prisma into apps/api/src/generated.
 * Does nothing when the schema and the Prisma version are those of the last run.
 * Prisma asks for its schema engine, a separate download, before it generates; generating
 * does not use it, so any executable is named and no download is needed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const schema = join(root, 'prisma', 'schema.prisma');
const output = join(root, 'apps', 'api', 'src', 'generated', 'prisma');
const stamp = join(output, 'made-from.txt');

const manifest = createRequire(import.meta.url).resolve('prisma/package.json');
const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'));
const state = createHash('sha256').update(`prisma ${version}\n`).update(readFileSync(schema)).digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== state) {
  rmSync(output, { recursive: true, force: true });
  const cli = join(dirname(manifest), typeof bin === 'string' ? bin : bin.prisma);
  const run = spawnSync(process.execPath, [cli, 'generate', '--schema', schema, '--no-hints'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  });
  if (run.status !== 0) {
    process.stderr.write(`prisma generate failed\n${run.stdout ?? ''}${run.stderr ?? ''}`);
    process.exit(run.status ?? 1);
  }
  mkdirSync(output, { recursive: true });
  writeFileSync(stamp, state);
  console.log(`prisma ${version}: client written to apps/api/src/generated/prisma`);
}
