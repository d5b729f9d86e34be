/**
 * Downloads one file into the cache. A download that was interrupted resumes where it stopped, within the call, in the
 * next call, and after the process was killed; nothing is used before its size and checksum match the hub's.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ClipError } from '../errors.js';
import { authorizedFetch, reasonOf, unauthorized, type RemoteFile } from './remote.js';
import type { HubEnvironment } from './environment.js';
import type { Repository } from './repository.js';

/** A server that sends nothing for this long counts as unreachable, in milliseconds. */
const STALL_TIMEOUT = 30_000;
/** Consecutive attempts without a single new byte before giving up. */
const MAX_FUTILE_TRIES = 4;
const FIRST_PAUSE = 250;

export interface DownloadTarget {
  repository: Repository;
  commit: string;
  file: RemoteFile;
  /** Where the content goes. While it is incomplete it lies at `PATH.incomplete`. */
  path: string;
}

/**
 * Downloads `file` to `path`.
 * @param onBytes gets the number of bytes that are there, from the start of the file
 * @throws ClipError HUB_UNREACHABLE, HUB_UNAUTHORIZED, HUB_NOT_FOUND, HUB_CORRUPT
 */
export async function download(
  target: DownloadTarget,
  environment: HubEnvironment,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { file, path, repository } = target;
  const incomplete = `${path}.incomplete`;
  // An earlier run's partial file is resumed only where a checksum can verify the result.
  await writeFile(incomplete, '', { flag: file.sha256 === undefined ? 'w' : 'a' });
  let futile = 0;
  let failure = '';
  while ((await sizeOf(incomplete)) !== file.size) {
    const before = await sizeOf(incomplete);
    if (before > file.size) await rm(incomplete);
    try {
      await receive(target, incomplete, environment, onBytes);
      failure = 'the connection closed early';
    } catch (error) {
      if (error instanceof ClipError) throw error;
      failure = reasonOf(error);
    }
    const after = await sizeOf(incomplete);
    futile = after > before ? 0 : futile + 1;
    if (futile >= MAX_FUTILE_TRIES) {
      throw new ClipError('HUB_UNREACHABLE', `the download of ${file.path} of ${repository.id} stopped`, {
        expected: `${file.size} bytes`,
        found: `${after}: ${failure}`,
        hint: 'Run the same command again: the download resumes',
      });
    }
    if (after !== file.size) await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE * 2 ** futile));
  }
  const found = file.sha256 === undefined ? undefined : await sha256(incomplete);
  if (found !== file.sha256) {
    await rm(incomplete);
    throw new ClipError('HUB_CORRUPT', `the download of ${file.path} of ${repository.id} is damaged`, {
      expected: `SHA-256 ${file.sha256}`,
      found,
      hint: 'Run the same command again; if that fails too, the server or a proxy changes the file',
    });
  }
  await rename(incomplete, path);
}

/** One request; appends what it receives to `incomplete`. */
async function receive(
  { repository, commit, file }: DownloadTarget,
  incomplete: string,
  environment: HubEnvironment,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  const url = `${environment.endpoint}/${repository.id}/resolve/${commit}/${path}`;
  const output = await open(incomplete, 'a');
  const stalled = new AbortController();
  const timer = setTimeout(
    () => stalled.abort(new Error(`no data for ${STALL_TIMEOUT / 1000} s`)),
    STALL_TIMEOUT,
  );
  try {
    let bytes = (await output.stat()).size;
    const headers = { 'Accept-Encoding': 'identity', ...(bytes > 0 ? { Range: `bytes=${bytes}-` } : {}) };
    const response = await authorizedFetch(environment)(url, { headers, signal: stalled.signal });
    if (response.status !== 206) {
      requireSuccess(response, repository, file, environment);
      if (bytes > 0) await output.truncate(0); // the server starts over
      bytes = 0;
    }
    onBytes(bytes);
    const chunks = (response.body ?? []) as AsyncIterable<Uint8Array>;
    for await (const chunk of chunks) {
      timer.refresh();
      bytes += chunk.byteLength;
      if (bytes > file.size) throw await tooLong(output, file, repository);
      await writeFully(output, chunk);
      onBytes(bytes);
    }
  } finally {
    clearTimeout(timer);
    await output.close();
  }
}

/** Errors that a retry cannot fix are thrown as they are, the others (429, 5xx) as plain errors. */
function requireSuccess(
  { status }: Response,
  { id }: Repository,
  file: RemoteFile,
  { endpoint, token }: HubEnvironment,
): void {
  if (status === 200) return;
  if (status === 401 || status === 403) throw unauthorized(id, endpoint, token);
  if (status === 404)
    throw new ClipError('HUB_NOT_FOUND', `${endpoint} lists ${file.path} of ${id} but does not have it`);
  throw new Error(`status ${status}`);
}

async function tooLong(output: FileHandle, file: RemoteFile, { id }: Repository): Promise<ClipError> {
  await output.truncate(0);
  return new ClipError('HUB_CORRUPT', `the download of ${file.path} of ${id} is longer than the hub states`, {
    expected: `${file.size} bytes`,
  });
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    done += (await file.write(bytes, done, bytes.byteLength - done)).bytesWritten;
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
