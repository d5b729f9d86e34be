/** Lists a repository's files through `@huggingface/hub`, whose failures become errors of the catalogue. */
import { ClipError } from '../errors.js';
import type { HubEnvironment } from './environment.js';
import { isHashName, isRelativePath, type Repository } from './repository.js';

/** A file of a repository. */
export interface RemoteFile {
  path: string;
  size: number;
  /** The name of its content in the cache: the SHA-256 of a large file, git's object id of a small one. */
  etag: string;
  /** Large files have one. Small ones are checked by their size alone, as Python's huggingface_hub does. */
  sha256?: string;
}

export interface RemoteRepository {
  commit: string;
  files: RemoteFile[];
}

/** A fetch that sends the token to the hub, and to no other server that it redirects to. */
export function authorizedFetch({ endpoint, token, fetch }: HubEnvironment): typeof fetch {
  if (token === undefined) return fetch;
  const { origin } = new URL(endpoint);
  return (input, init) => {
    const headers = new Headers(init?.headers);
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin === origin) headers.set('Authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
}

/**
 * Lists the files of a repository at a revision.
 * @throws ClipError HUB_NOT_FOUND, HUB_UNAUTHORIZED, HUB_UNREACHABLE
 */
export async function readRepository(
  repository: Repository,
  environment: HubEnvironment,
): Promise<RemoteRepository> {
  const { id, revision } = repository;
  const shared = { hubUrl: environment.endpoint, fetch: authorizedFetch(environment) };
  // Loaded only now: most programs open a local folder, and need not wait for it.
  const { HubApiError, listFiles, modelInfo } = await import('@huggingface/hub');
  try {
    const { sha } = await modelInfo({ ...shared, name: id, revision, additionalFields: ['sha'] });
    if (typeof sha !== 'string' || !isHashName(sha)) throw new Error('the hub did not name a commit');
    const files: RemoteFile[] = [];
    for await (const entry of listFiles({
      ...shared,
      repo: { type: 'model', name: id },
      revision: sha,
      recursive: true,
    })) {
      if (entry.type !== 'file') continue;
      const etag = entry.lfs?.oid ?? entry.oid ?? '';
      if (!isRelativePath(entry.path) || !isHashName(etag)) {
        throw new ClipError('HUB_CORRUPT', `${id} lists a file with an impossible name or hash`, {
          found: JSON.stringify({ path: entry.path, oid: etag }),
        });
      }
      files.push({ path: entry.path, size: entry.size, etag, sha256: entry.lfs?.oid });
    }
    return { commit: sha, files };
  } catch (error) {
    const status = error instanceof HubApiError ? error.statusCode : undefined;
    throw hubError(error, status, repository, environment);
  }
}

/** Translates a failure of a request to the hub, answered with `status` if at all. */
function hubError(
  error: unknown,
  status: number | undefined,
  { id, revision }: Repository,
  { endpoint, token }: HubEnvironment,
): ClipError {
  if (error instanceof ClipError) return error;
  if (status === 401 || status === 403) return unauthorized(id, endpoint, token, error);
  if (status === 404) {
    return new ClipError(
      'HUB_NOT_FOUND',
      `${endpoint} has no model ${id} at revision ${revision}, and there is no such folder here`,
      {
        hint: 'Check the name; a private model needs HF_TOKEN',
        cause: error,
      },
    );
  }
  return new ClipError('HUB_UNREACHABLE', `the request to ${endpoint} for ${id} failed`, {
    found: status === undefined ? reasonOf(error) : `status ${status}`,
    hint: 'Check the network and HF_ENDPOINT, or give the path of a local folder',
    cause: error,
  });
}

export function unauthorized(
  id: string,
  endpoint: string,
  token: string | undefined,
  cause?: unknown,
): ClipError {
  return new ClipError('HUB_UNAUTHORIZED', `${endpoint} does not give access to ${id}`, {
    found: token === undefined ? 'no token' : 'a token without access',
    hint:
      token === undefined
        ? 'The model does not exist, or is private or gated: set HF_TOKEN to a token that may read it'
        : "Accept the model's conditions on its page, or set HF_TOKEN to another token",
    cause,
  });
}

/** The reason inside the error that fetch wraps around it, on one line. */
export function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = inner instanceof Error ? inner.message || inner.name : String(inner);
  return text.replace(/\s+/g, ' ').slice(0, 200);
}
