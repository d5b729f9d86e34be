/** A folder or a hub id → a folder on this disk that has what is needed. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrecisionChoice } from '../checkpoint/files.js';
import { ClipError } from '../errors.js';
import { RepositoryCache, isUnwritable } from './cache.js';
import { download } from './download.js';
import { readHubEnvironment, type HubEnvironment } from './environment.js';
import { readRepository, reasonOf, type RemoteFile, type RemoteRepository } from './remote.js';
import { isCommit, parseRepository, type Repository } from './repository.js';
import { selectFiles, type FileSelection } from './select-files.js';

/** Progress of a model's download. */
export interface DownloadProgress {
  /** The file being downloaded. */
  file: string;
  fileBytes: number;
  fileSize: number;
  /** Over all files that are needed; those that the cache has count as received. */
  receivedBytes: number;
  totalBytes: number;
}

export interface ResolveOptions {
  /** Branch, tag or commit. Default: what follows `@` in the id, else main. */
  revision?: string;
  /** Default: `auto`. */
  files?: FileSelection;
  /** Which of the stored ONNX models. Default: the most precise one present. */
  precision?: PrecisionChoice;
  onProgress?: (progress: DownloadProgress) => void;
}

/**
 * Finds the folder of a model: a folder is returned as it is; a hub id (`owner/name`, `owner/name@revision`) is
 * downloaded into the hub's cache unless it is there. Honours HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN
 * and HF_HUB_OFFLINE. When the hub cannot be reached and the cache has the model, the cache is used.
 * @returns the path of a folder
 * @throws ClipError HUB_ID_INVALID, HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_UNREACHABLE, HUB_CORRUPT, HUB_CACHE_UNWRITABLE, HUB_PICKLE_ONLY;
 *   CHECKPOINT_NOT_FOUND for a path that is not a folder
 */
export async function resolveModelFolder(idOrFolder: string, options: ResolveOptions = {}): Promise<string> {
  const { files = 'auto', precision = 'auto', onProgress = () => undefined } = options;
  const status = await stat(idOrFolder).catch(() => undefined);
  if (status?.isDirectory()) {
    await refusePickles(idOrFolder, files);
    return idOrFolder;
  }
  if (status !== undefined || looksLikePath(idOrFolder)) {
    throw new ClipError('CHECKPOINT_NOT_FOUND', `${idOrFolder} is not a folder`, {
      found: status === undefined ? 'nothing there' : 'a file',
    });
  }
  const repository = parseRepository(idOrFolder, options.revision);
  const environment = await readHubEnvironment();
  const cache = new RepositoryCache(environment.cacheFolder, repository);
  const cached = () => cachedFolder(repository, cache, files, precision);
  if (environment.offline) return (await cached()) ?? notCached(repository, environment);
  if (isCommit(repository.revision)) {
    const folder = await cached();
    if (folder !== undefined) return folder;
  }
  let remote: RemoteRepository;
  try {
    remote = await readRepository(repository, environment);
  } catch (error) {
    const folder =
      error instanceof ClipError && error.code === 'HUB_UNREACHABLE' ? await cached() : undefined;
    if (folder === undefined) throw error;
    return folder;
  }
  const paths = selectFiles(
    remote.files.map(({ path }) => path),
    files,
    repository.id,
    precision,
  );
  const needed = paths.map((path) => remote.files.find((file) => file.path === path)!);
  try {
    await fetchFiles(repository, remote.commit, needed, cache, environment, onProgress);
  } catch (error) {
    throw isUnwritable(error) ? unwritable(repository, environment, error) : error;
  }
  // A read-only cache may have the files all the same; the commit is stored for offline use only.
  await cache.writeCommit(repository.revision, remote.commit).catch((error: unknown) => {
    if (!isUnwritable(error)) throw error;
  });
  return cache.snapshotFolder(remote.commit);
}

function looksLikePath(text: string): boolean {
  return /^[./~]|\\|^[A-Za-z]:/.test(text) || text.split('/').length > 2;
}

/** Refuses pickles only: what else a local folder lacks is reported when it is opened. */
async function refusePickles(folder: string, files: FileSelection): Promise<void> {
  const onnx = await readdir(join(folder, 'onnx')).catch((): string[] => []);
  const names = [...(await readdir(folder)), ...onnx.map((name) => `onnx/${name}`)];
  try {
    selectFiles(names, files, folder);
  } catch (error) {
    if (error instanceof ClipError && error.code === 'HUB_PICKLE_ONLY') throw error;
  }
}

/** The snapshot of a revision in the cache, when it has all files. */
async function cachedFolder(
  repository: Repository,
  cache: RepositoryCache,
  files: FileSelection,
  precision: PrecisionChoice,
): Promise<string | undefined> {
  const commit = await cache.readCommit(repository.revision);
  if (commit === undefined) return undefined;
  try {
    selectFiles(await cache.listSnapshot(commit), files, repository.id, precision);
  } catch (error) {
    if (error instanceof ClipError) return undefined;
    throw error;
  }
  return cache.snapshotFolder(commit);
}

function notCached({ id, revision }: Repository, { cacheFolder }: HubEnvironment): never {
  throw new ClipError(
    'HUB_UNREACHABLE',
    `offline mode is on and the cache does not have all of ${id} at revision ${revision}`,
    {
      found: `the cache ${cacheFolder}`,
      hint: 'Unset HF_HUB_OFFLINE once to download it, or give the path of a local folder',
    },
  );
}

function unwritable({ id }: Repository, { cacheFolder }: HubEnvironment, cause: unknown): ClipError {
  return new ClipError('HUB_CACHE_UNWRITABLE', `${id} cannot be downloaded into the cache of the hub`, {
    expected: 'a cache that has all of its files, or a folder that can be written',
    found: `${cacheFolder}: ${reasonOf(cause)}`,
    hint: 'Set HF_HUB_CACHE to a folder that can be written, or have its owner download the model',
    cause,
  });
}

async function fetchFiles(
  repository: Repository,
  commit: string,
  files: readonly RemoteFile[],
  cache: RepositoryCache,
  environment: HubEnvironment,
  onProgress: (progress: DownloadProgress) => void,
): Promise<void> {
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const file of files) {
    const path = cache.blobPath(file.etag);
    const report = (fileBytes: number) =>
      onProgress({
        file: file.path,
        fileBytes,
        fileSize: file.size,
        receivedBytes: before + fileBytes,
        totalBytes,
      });
    // Nothing is written for what is there: the cache may be another user's.
    if (!(await cache.has(commit, file.path, file.size)))
      await cache.withLock(file.etag, async () => {
        const status = await stat(path).catch(() => undefined);
        if (status?.size !== file.size)
          await download({ repository, commit, file, path }, environment, report);
        await cache.link(commit, file.path, file.etag);
      });
    report(file.size);
    before += file.size;
  }
}
