export { resolveModelFolder, type DownloadProgress, type ResolveOptions } from './resolve.js';
export type { FileSelection } from './select-files.js';
