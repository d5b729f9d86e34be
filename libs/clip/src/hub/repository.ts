/** Names on the hub: repository ids, revisions and file paths, checked before any of them becomes a path or a URL. */
import { ClipError } from '../errors.js';

/** A repository at a revision (branch, tag or commit). */
export interface Repository {
  id: string;
  revision: string;
}

const NAME = /^[A-Za-z0-9_](?:[\w.-]*[\w-])?$/;
const COMMIT = /^[0-9a-f]{40}$/;

/**
 * Parses `name`, `owner/name` or `owner/name@revision`.
 * @param revision takes precedence over one in `text`; default: main
 * @throws ClipError HUB_ID_INVALID
 */
export function parseRepository(text: string, revision?: string): Repository {
  const at = text.indexOf('@');
  const id = at < 0 ? text : text.slice(0, at);
  const wanted = revision ?? (at < 0 ? 'main' : text.slice(at + 1));
  const parts = id.split('/');
  const wellFormed =
    parts.length <= 2 &&
    id.length <= 96 &&
    parts.every((part) => NAME.test(part) && !/\.\.|--|\.git$/.test(part));
  if (!wellFormed) {
    throw new ClipError('HUB_ID_INVALID', `${JSON.stringify(id)} is neither a folder nor a hub id`, {
      expected: 'an existing folder, or owner/name with letters, digits, "-", "_" and "."',
    });
  }
  if (!isRelativePath(wanted) || !/^[\w./-]+$/.test(wanted)) {
    throw new ClipError('HUB_ID_INVALID', `${JSON.stringify(wanted)} is not a revision`, {
      expected: 'a branch, a tag or a commit',
    });
  }
  return { id, revision: wanted };
}

/** Whether a revision is a whole commit hash, whose content never changes. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/** Whether a hash that a server names is safe as the name of a file. */
export function isHashName(hash: string): boolean {
  return /^[\w-]{1,128}$/.test(hash);
}

/** Whether a path stays inside the folder that it is joined to, under the rules of any system. */
export function isRelativePath(path: string): boolean {
  if (path === '' || path.length > 1024 || /[\\:\0]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
