/** What the NVIDIA driver tells about itself and its GPUs. No package index carries the driver. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { firstLine } from './requirements.mjs';

/**
 * @typedef {object} Driver
 * @property {string} [version]     '580.159.04'; absent where there is no driver
 * @property {string} [gpu]         'NVIDIA H200'
 * @property {number} [architecture]  90 for sm_90
 * @property {string[]} devices     /dev/nvidia0, …
 */

const VERSION_FILE = '/proc/driver/nvidia/version';

/** @returns {Driver} */
export function readDriver() {
  const devices = readdirSync('/dev')
    .filter((name) => /^nvidia\d+$/.test(name))
    .map((name) => `/dev/${name}`);
  const query = ['--query-gpu=driver_version,compute_cap,name', '--format=csv,noheader'];
  const told = firstLine('nvidia-smi', query);
  const [version, capability, ...name] = told?.split(', ') ?? [];
  if (version && capability && /^\d+\.\d+$/.test(capability)) {
    return { version, architecture: Number(capability.replace('.', '')), gpu: name.join(', '), devices };
  }
  const text = existsSync(VERSION_FILE) ? readFileSync(VERSION_FILE, 'utf8') : '';
  return { version: / (\d+\.[\d.]+) /.exec(text)?.[1], devices };
}

/**
 * @param {Driver} driver @param {number} oldest major version that CUDA's libraries need
 * @returns {import('./requirements.mjs').Check[]}
 */
export const checkDriver = ({ version, gpu, architecture, devices }, oldest) => [
  {
    what: 'NVIDIA driver',
    ok: Number(version?.split('.')[0]) >= oldest,
    found: version ?? `none (nvidia-smi does not run, ${VERSION_FILE} does not exist)`,
    remedy: `install an NVIDIA driver of version ${oldest} or newer`,
  },
  {
    what: 'GPU',
    ok: gpu !== undefined || devices.length > 0,
    found: gpu ? `${gpu}, sm_${architecture}` : devices.join(', ') || 'no /dev/nvidia0',
    remedy: 'in a container, start it with GPU access (docker run --gpus all)',
  },
];
