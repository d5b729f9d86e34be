/**
 * The learning rate as a pure function of the step: linear warm-up from 0, then a linear or cosine decay to 0. Step s
 * (from 0) uses what PyTorch's LambdaLR with transformers' get_{linear,cosine}_schedule_with_warmup gives for it.
 */
export interface Schedule {
  kind: 'linear' | 'cosine';
  /** The highest rate, reached at the end of the warm-up. */
  peak: number;
  warmupSteps: number;
  totalSteps: number;
}

export function learningRate({ kind, peak, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return peak * (step / Math.max(1, warmupSteps));
  const decaySteps = Math.max(1, totalSteps - warmupSteps);
  if (kind === 'linear') return peak * Math.max(0, (totalSteps - step) / decaySteps);
  return peak * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((step - warmupSteps) / decaySteps))));
}

/** Warm-up as the original script counts it: `factor` quarters of an epoch. Never longer than the run. */
export function warmupSteps(factor: number, stepsPerEpoch: number, totalSteps: number): number {
  return Math.min(totalSteps, Math.round((factor * stepsPerEpoch) / 4));
}
