export { recoverFolder, writeFileAtomic, writeFolderAtomic } from './atomic.js';
