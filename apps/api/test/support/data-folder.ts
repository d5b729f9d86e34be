/**
 * Data folders with a database that is made and migrated already. Making one takes seconds, which every start of the
 * service in the tests would spend; a copy takes a moment. The first user makes the template.
 */
import { createHash } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../dist/database/database.js';

const MANIFEST = new URL('../../package.json', import.meta.url);
const MIGRATIONS = new URL('../../../../prisma/migrations', import.meta.url);

/** Makes `folder` a data folder with an empty database, and returns it. */
export async function freshDataFolder(folder: string): Promise<string> {
  const template = await templateFolder();
  await mkdir(folder, { recursive: true });
  await cp(template, join(folder, 'database'), { recursive: true });
  return folder;
}

async function templateFolder(): Promise<string> {
  const prefix = join(tmpdir(), 'clip-ts-empty-database-');
  const template = `${prefix}${userInfo().uid}-${await version()}`;
  if (await exists(template)) return template;
  const unfinished = await mkdtemp(prefix);
  const database = await openDatabase({ DATA_DIR: unfinished });
  await database.close();
  try {
    await rename(join(unfinished, 'database'), template);
  } catch (error) {
    // Another test file was first.
    if (!(await exists(template))) throw error;
  }
  await rm(unfinished, { recursive: true });
  return template;
}

/** Changes with the database engine and with the migrations. */
async function version(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(MANIFEST));
  for (const name of (await readdir(MIGRATIONS)).sort()) hash.update(name);
  return hash.digest('hex').slice(0, 12);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
