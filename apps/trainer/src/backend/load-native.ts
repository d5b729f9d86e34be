/**
 * Loads @tensorflow/tfjs-node(-gpu), an optional package: from the cache that `npm run native:install` fills, or from
 * this project's node_modules when somebody installed it there. Its own copy of tfjs-core is replaced by ours, so that
 * there is one engine, one kernel registry and one Tensor class in the process.
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { InputError } from '../errors.js';
import { nativePackageFolder, nodeVersionProblem, type NativePackage } from './native-folder.js';

/** What the loaded package reports. Its backend is registered with tfjs-core as `tensorflow`. */
export interface NativeTensorFlow {
  tensorflowVersion: string;
  usesGpu: boolean;
}

/** The part of the package's exports that is used here. */
interface TfjsNode {
  /** The package registers it when it is loaded; another one may be the current backend by now. */
  findBackend(name: 'tensorflow'): { isUsingGpuDevice: boolean; binding: { TF_Version: string } };
}

const installCommand = (name: NativePackage) =>
  `npm run native:install${name === 'tfjs-node-gpu' ? ' -- --gpu' : ''}`;

/** A `require` that resolves the package, or undefined when it is not installed. */
function requireThatFinds(name: NativePackage, env: NodeJS.ProcessEnv): NodeJS.Require | undefined {
  const candidates = [path.join(nativePackageFolder(name, env), 'package.json'), import.meta.filename];
  return candidates
    .filter((file) => existsSync(file))
    .map((file) => createRequire(file))
    .find((require) => {
      try {
        require.resolve(`@tensorflow/${name}`);
        return true;
      } catch {
        return false;
      }
    });
}

/** Packages that register things with the engine: a second copy would register them again. */
const SHARED_PACKAGES = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'];

/** Makes the package resolve these modules to the copies that this program has loaded. */
function sharePackages(packageRequire: NodeJS.Require, packageName: string): void {
  const ours = createRequire(import.meta.url);
  const insidePackage = createRequire(packageRequire.resolve(packageName));
  for (const name of SHARED_PACKAGES) {
    ours(name);
    ours.cache[insidePackage.resolve(name)] ??= ours.cache[ours.resolve(name)];
  }
}

/**
 * Loads the package and registers its backend (`tensorflow`).
 * @throws {InputError} when this Node.js cannot run it, when it is not installed, or when its binding does not load
 */
export function loadNativeTensorFlow(
  name: NativePackage,
  env: NodeJS.ProcessEnv = process.env,
): NativeTensorFlow {
  const nodeProblem = nodeVersionProblem();
  if (nodeProblem) throw new InputError(nodeProblem);
  const packageName = `@tensorflow/${name}`;
  const require = requireThatFinds(name, env);
  if (!require)
    throw new InputError(`${packageName} is not installed; install it with: ${installCommand(name)}`);
  sharePackages(require, packageName);
  // Hides TensorFlow's notes on the processor's features; warnings and errors are still printed.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
  try {
    const { isUsingGpuDevice, binding } = (require(packageName) as TfjsNode).findBackend('tensorflow');
    return { tensorflowVersion: binding.TF_Version, usesGpu: isUsingGpuDevice };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new InputError(`${packageName} does not load: ${why}\nFor a diagnosis run: npm run native:doctor`);
  }
}

/** Whether the machine has an NVIDIA device. Drivers and libraries are not checked. */
export function hasNvidiaDevice(): boolean {
  return process.platform === 'linux' && readdirSync('/dev').some((name) => /^nvidia\d+$/.test(name));
}
