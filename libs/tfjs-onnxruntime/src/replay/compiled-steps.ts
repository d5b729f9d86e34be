/** Compiled steps by the signature of their inputs; beyond a limit, the least recently used is released. */
import type { HostTensor } from './host-tensor.js';
import { signatureOf } from './host-tensor.js';

interface Releasable {
  dispose(): void;
}

export class CompiledSteps<Step extends Releasable> {
  /** In the order of their last use. */
  readonly #steps = new Map<string, Step>();
  readonly #limit: number;
  readonly #beforeRelease: (() => void) | undefined;

  /** @param beforeRelease called while the step that must go can still be read from */
  constructor(limit = 8, beforeRelease?: () => void) {
    this.#limit = limit;
    this.#beforeRelease = beforeRelease;
  }

  get size(): number {
    return this.#steps.size;
  }

  /** The step for these inputs, compiled now unless it is there. */
  get(inputs: Readonly<Record<string, HostTensor>>, compile: () => Step): Step {
    const signature = signatureOf(inputs);
    const step = this.#steps.get(signature) ?? compile();
    this.#steps.delete(signature);
    this.#steps.set(signature, step);
    for (const [oldest, each] of this.#steps) {
      if (this.#steps.size <= this.#limit) break;
      this.#beforeRelease?.();
      each.dispose();
      this.#steps.delete(oldest);
    }
    return step;
  }

  /** Releases all of them. */
  clear(): void {
    for (const step of this.#steps.values()) step.dispose();
    this.#steps.clear();
  }
}
