/** Files and folders that are written whole or not at all, and a folder's lock. Loads nothing else: for threads that need only this. */
export { recoverFolder, writeFileAtomic, writeFolderAtomic } from './atomic.js';
export { FolderInUseError, lockFolder } from './folder-lock.js';
export { makeFolder } from './make-folder.js';
export { isAbandoned } from './process.js';
