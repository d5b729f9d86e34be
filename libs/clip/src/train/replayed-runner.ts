/**
 * Runs a program on an engine that traces one function, compiles it once for each set of input names and shapes, and
 * replays it (tfjs-onnxruntime's ReplayedFunction). The program's functions become one: the inputs of its function `f`
 * are named `f/…`, so that their names say which function is meant and each function is compiled on its own.
 */
import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../model/index.js';
import type { HostTensors } from './host-tensor.js';
import { runFunctions, type Program, type ProgramResult, type Runner } from './program.js';

/** What the engine takes: its shapes are not readonly. */
type EngineInput = Omit<HostTensor, 'shape'> & { shape: number[] };

/** The part of a ReplayedFunction that a runner uses. A program's outputs and state are float32 and int32. */
export interface Replayed {
  run(inputs: Readonly<Record<string, EngineInput>>): Promise<Record<string, unknown>>;
  readState(names: readonly string[]): Record<string, unknown>;
  dispose(): void;
}

const SEPARATOR = '/';

/** The inputs of a program's function, as {@link asOneFunction} takes them. */
export const inputsOf = (name: string, inputs: Readonly<HostTensors>): Record<string, EngineInput> =>
  Object.fromEntries(
    Object.entries(inputs).map(([input, tensor]) => [
      name + SEPARATOR + input,
      tensor as HostTensor & EngineInput,
    ]),
  );

/** All functions of a program as one; the names of the inputs select which is applied. */
export function asOneFunction<P extends Program<P>>(
  program: P,
): (state: NamedTensorMap, inputs: NamedTensorMap) => ProgramResult {
  return (state, prefixed) => {
    const entries = Object.entries(prefixed).map(([key, tensor]) => {
      const end = key.indexOf(SEPARATOR);
      return [key.slice(0, end), key.slice(end + 1), tensor] as const;
    });
    const name = entries[0]![0] as keyof P;
    const inputs = Object.fromEntries(entries.map(([, input, tensor]) => [input, tensor]));
    return program[name](state, inputs as never);
  };
}

/** @param replayed replays `asOneFunction(program)` and owns its state; the runner disposes of it */
export function createReplayedRunner<P extends Program<P>>(program: P, replayed: Replayed): Runner<P> {
  return {
    run: runFunctions(
      program,
      async (name, inputs) => (await replayed.run(inputsOf(name, inputs))) as HostTensors,
    ),
    readState: async (names) => replayed.readState(names) as HostTensors,
    dispose: () => replayed.dispose(),
  };
}
