/** Where CUDA's libraries may lie: in PyTorch's `nvidia-*` wheels, in PyTorch itself, or where CUDA is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const PROGRAM = `
import glob, importlib.util, os
folders = []
for name, pattern in ("nvidia", "*/lib"), ("torch", "lib"):
    spec = importlib.util.find_spec(name)
    for root in (spec.submodule_search_locations or []) if spec else []:
        folders += sorted(glob.glob(os.path.join(root, pattern)))
print(":".join(folders))`;

/** Where the toolkit's installers and container images put it. */
const SYSTEM = [
  '/usr/local/cuda/lib64',
  '/usr/local/cuda/targets/x86_64-linux/lib',
  '/usr/lib/x86_64-linux-gnu',
];

/** The interpreter that PYTHON names, else the first of python3 and python that runs. */
export function findPython() {
  if (process.env.PYTHON) return process.env.PYTHON;
  const runs = (/** @type {string} */ command) => spawnSync(command, ['--version']).status === 0;
  return ['python3', 'python'].find((command) => runs(command)) ?? 'python3';
}

/**
 * Folders that may hold the libraries, first that of an unpacked gpu:pack at `root`, last the system's.
 * @param {string} root @param {string} python
 */
export function pythonCudaFolders(root, python) {
  const packed = path.join(root, 'cuda');
  const { status, stdout } = spawnSync(python, ['-c', PROGRAM], { encoding: 'utf8' });
  const found = status === 0 ? stdout.trim().split(':').filter(Boolean) : [];
  return [packed, ...found, ...SYSTEM].filter((folder) => existsSync(folder));
}
