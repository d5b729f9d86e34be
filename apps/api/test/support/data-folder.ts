/**
 * Data folders with a database that is made already. Making one takes seconds, which every start of the
 * service in the tests would spend; a copy takes a moment. The first user makes the template.
 */
import { createHash } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/** Makes `folder` a data folder with an empty database, and returns it. */
export async function freshDataFolder(folder: string): Promise<string> {
  const template = await templateFolder();
  await mkdir(folder, { recursive: true });
  await cp(template, join(folder, 'database'), { recursive: true });
  return folder;
}

async function templateFolder(): Promise<string> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const version = createHash('sha256').update(manifest).digest('hex').slice(0, 12);
  const template = join(tmpdir(), `clip-ts-empty-database-${userInfo().uid}-${version}`);
  if (await exists(template)) return template;
  const unfinished = await mkdtemp(join(tmpdir(), 'clip-ts-empty-database-'));
  const engine = await PGlite.create({ dataDir: unfinished });
  await engine.close();
  try {
    await rename(unfinished, template);
  } catch (error) {
    // Another test file was first.
    if (!(await exists(template))) throw error;
    await rm(unfinished, { recursive: true });
  }
  return template;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
