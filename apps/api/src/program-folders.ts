/**
 * Folders of the repository that the service reads. Relative to this file, which has to stay directly in src/: compiled and
 * bundled it lies as deep, in build/ and dist/.
 */
import { fileURLToPath } from 'node:url';

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The web page and its scripts. */
export const PAGE_FOLDER = folder('../public');

/** The SQL that ships with the program. */
export const MIGRATIONS_FOLDER = folder('../../../prisma/migrations');

/** What bundle-browser.mjs makes for visitors' browsers. */
export const BROWSER_FOLDER = folder('../dist/browser');
