/**
 * Data folders with a database that is made and migrated already. Making one takes seconds, which every start of the
 * service in the tests would spend; a copy takes a moment. The first user makes the template.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

const MANIFEST = new URL('../../package.json', import.meta.url);
const MIGRATIONS = new URL('../../../../prisma/migrations', import.meta.url);

/** Makes `folder` a data folder with an empty database, and returns it. */
export async function freshDataFolder(folder: string): Promise<string> {
  const template = await templateFolder();
  await mkdir(folder, { recursive: true });
  copyDataFolder(template, join(folder, 'database'));
  return folder;
}

/** A copy of a folder with a database: of its 1,000 files, which the asynchronous copy takes three times as long for. */
export function copyDataFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}

async function templateFolder(): Promise<string> {
  const prefix = join(process.env.CLIP_TEST_CACHE ?? tmpdir(), 'clip-ts-empty-database-');
  const template = `${prefix}${userInfo().uid}-${await version()}`;
  if (existsSync(template)) return template;
  // Loaded only here: the database takes longer to load than the template to copy.
  const { openDatabase } = await import('../../build/database/open-database.js');
  const unfinished = await mkdtemp(prefix);
  const database = await openDatabase({ DATA_DIR: unfinished });
  await database.close();
  try {
    await rename(join(unfinished, 'database'), template);
  } catch (error) {
    // Another test file was first.
    if (!existsSync(template)) throw error;
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
