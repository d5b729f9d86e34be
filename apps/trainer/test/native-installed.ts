import { existsSync } from 'node:fs';
import path from 'node:path';
import { nativePackageFolder, nodeVersionProblem } from '../src/backend/native-folder.js';

/** Whether `npm run native:install` has put tfjs-node in place and this Node.js can run it. */
export const isTfjsNodeInstalled =
  existsSync(path.join(nativePackageFolder('tfjs-node'), 'complete')) && nodeVersionProblem() === undefined;
