import { describe, expect, it } from 'vitest';
import { freshState, type TrainingState } from '../checkpoint/training-state.js';
import type { Validation } from '../evaluation/validate.js';
import { countEpoch } from './keep-best.js';

const validation = (loss: number, r10: number): Validation => {
  const recall = { r1: 0, r5: 0, r10 };
  return {
    loss,
    chance: 1,
    retrieval: { text_to_image: recall, image_to_text: recall, images: 2, captions: 2 },
  };
};

function epochs(start: TrainingState, modes: ('min' | 'max')[], results: Validation[]) {
  let state = start;
  return results.map((result) => {
    const counted = countEpoch({ ...state, epoch: state.epoch + 1 }, result, modes);
    state = counted.state;
    return counted;
  });
}

describe('the best epoch', () => {
  it('has the lowest loss in mode "min"; equal is not better', () => {
    const results = [validation(3, 0), validation(2, 0), validation(2, 1), validation(1, 0)];
    const counted = epochs(freshState({}), ['min'], results);
    expect(counted.map(({ best }) => best)).toEqual([true, true, false, true]);
    expect(counted.map(({ state }) => state.staleEpochs)).toEqual([0, 0, 1, 0]);
    expect(counted.at(-1)!.state.best).toEqual({ metric: -1, loss: 1, stage: 0, epoch: 4 });
  });

  it('has the highest recall in mode "max"', () => {
    const results = [validation(1, 0.5), validation(0, 0.4), validation(9, 0.6)];
    const counted = epochs(freshState({}), ['max'], results);
    expect(counted.map(({ best }) => best)).toEqual([true, false, true]);
  });

  it('is the one with the lower loss when recalls are equal', () => {
    const results = [validation(2, 1), validation(1, 1), validation(1.5, 1)];
    const counted = epochs(freshState({}), ['max'], results);
    expect(counted.map(({ best }) => best)).toEqual([true, true, false]);
    expect(counted.map(({ state }) => state.staleEpochs)).toEqual([0, 0, 1]);
  });

  it('compares by recall alone with the best of a run whose loss was not kept', () => {
    const start = { ...freshState({}), best: { metric: 1, loss: null, stage: 0, epoch: 1 } };
    expect(epochs(start, ['max'], [validation(0, 1)])[0]!.best).toBe(false);
  });

  it('of a later stage must beat the run to be kept, and the stage alone not to be stale', () => {
    const start = { ...freshState({}), stage: 1, best: { metric: -1, loss: 1, stage: 0, epoch: 3 } };
    const [first, second] = epochs(start, ['min', 'min'], [validation(2, 0), validation(1.5, 0)]);
    expect([first!.best, first!.state.staleEpochs]).toEqual([false, 0]);
    expect([second!.best, second!.state.staleEpochs]).toEqual([false, 0]);
    expect(second!.state.best).toEqual({ metric: -1, loss: 1, stage: 0, epoch: 3 });
  });

  it('of a stage with another mode replaces the earlier one', () => {
    const start = { ...freshState({}), stage: 1, best: { metric: -0.1, loss: 0.1, stage: 0, epoch: 3 } };
    const [first] = epochs(start, ['min', 'max'], [validation(5, 0.01)]);
    expect([first!.best, first!.state.best]).toEqual([true, { metric: 0.01, loss: 5, stage: 1, epoch: 1 }]);
  });
});
