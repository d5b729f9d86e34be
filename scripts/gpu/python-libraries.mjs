/** CUDA's libraries where PyTorch put them: the `nvidia-*` wheels beside it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const PROGRAM = `
import glob, os
try:
    import nvidia
    folders = [folder for root in nvidia.__path__ for folder in sorted(glob.glob(os.path.join(root, "*", "lib")))]
except ImportError:
    folders = []
print(":".join(folders))`;

/**
 * Folders that may hold the libraries, first that of an unpacked gpu:pack at `root`.
 * @param {string} root
 */
export function pythonCudaFolders(root) {
  const packed = path.join(root, 'cuda');
  const { status, stdout } = spawnSync(process.env.PYTHON ?? 'python3', ['-c', PROGRAM], {
    encoding: 'utf8',
  });
  const found = status === 0 ? stdout.trim().split(':').filter(Boolean) : [];
  return [...(existsSync(packed) ? [packed] : []), ...found];
}
