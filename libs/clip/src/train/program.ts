/**
 * A program is a set of named functions of tensors that share a state: (state, inputs) → (changed state, outputs). A
 * runner owns the state and applies the functions to it, op by op (eager-runner.ts) or compiled once for each set of
 * input shapes and replayed (replayed-runner.ts).
 */
import type { Tensor, NamedTensorMap } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../model/index.js';
import type { HostTensors } from './host-tensor.js';

/**
 * Must be pure: no reading of tensor values, no outside tensors, no randomness but from its inputs. State that it does
 * not return stays as it is.
 */
export type ProgramFunction<Input extends string, Output extends string> = (
  state: NamedTensorMap,
  inputs: Readonly<Record<Input, Tensor>>,
) => ProgramResult<Output>;

export interface ProgramResult<Output extends string = string> {
  state: NamedTensorMap;
  outputs: Record<Output, Tensor>;
}

/** Any object of program functions, whatever their inputs and outputs. */
export type Program<P> = {
  readonly [Name in keyof P]: (state: NamedTensorMap, inputs: never) => ProgramResult;
};

/** A program's functions as a caller sees them: tensors in JavaScript memory in and out, the state left out. */
export type RunFunctions<P> = {
  readonly [Name in keyof P]: P[Name] extends ProgramFunction<infer Input, infer Output>
    ? (inputs: Readonly<Record<Input, HostTensor>>) => Promise<Record<Output, HostTensor>>
    : never;
};

export interface Runner<P> {
  /** Applies one of the program's functions once. */
  readonly run: RunFunctions<P>;
  /** Copies of the named state tensors. */
  readonly readState: (names: readonly string[]) => Promise<HostTensors>;
  /** Frees the state. The runner cannot be used afterwards. */
  readonly dispose: () => void;
}

/** `runNamed` as one function for each name of the program. */
export const runFunctions = <P extends Program<P>>(
  program: P,
  runNamed: (name: keyof P & string, inputs: HostTensors) => Promise<HostTensors>,
): RunFunctions<P> =>
  Object.fromEntries(
    (Object.keys(program) as (keyof P & string)[]).map((name) => [
      name,
      (inputs: HostTensors) => runNamed(name, inputs),
    ]),
  ) as unknown as RunFunctions<P>;
