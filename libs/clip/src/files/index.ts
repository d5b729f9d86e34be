export { recoverFolder, writeFileAtomic, writeFolderAtomic } from './atomic.js';
export { isAbandoned } from './process.js';
