/** Stops a step whose outputs are not numbers, before it changes the state. */
import { EngineError } from '../errors.js';
import type { HostTensor } from './host-tensor.js';
import type { NonFinite } from './non-finite.js';

/** Larger outputs are data, not a loss or a norm, and are left alone. */
const CHECKED_ELEMENTS = 1024;

/** @param find looks for the op that made it so @throws EngineError NON_FINITE */
export function assertFinite(
  outputs: Readonly<Record<string, HostTensor>>,
  find: () => NonFinite | undefined,
): void {
  for (const [name, { data, dtype }] of Object.entries(outputs)) {
    if (dtype !== 'float32' || data.length > CHECKED_ELEMENTS) continue;
    if ((data as Float32Array).every((x) => Number.isFinite(x))) continue;
    const found = find();
    const cause = found
      ? `The first op with a non-finite result is ${found.op} → [${found.shape.join(',')}] (${found.count} elements).`
      : 'It comes from a non-finite input or state.';
    throw new EngineError('NON_FINITE', `the output "${name}" is not finite. ${cause}`, {
      kernel: found?.kernel,
      shapes: found?.inputShapes,
      hint: 'The state is as it was before the step. Lower the learning rate, or look at the batch.',
    });
  }
}
