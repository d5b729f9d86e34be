/**
 * The same step, op by op, on a native TensorFlow.js backend: the peer `tfjs-node`, which `npm run native:install`
 * installs. Requests as in ours.mjs, except for `profile`. Argument: shape.
 */
import { createEagerRunner, numberOf } from '@clip-ts/clip/train';
import { selectBackend } from '../../apps/trainer/build/backend/select-backend.js';
import { answerRequests, timeRuns } from '../shared/side.mjs';
import { shapeNamed } from './shapes.mjs';
import { createSubject } from './subject.mjs';

await selectBackend('tfjs-node');
const { program, state, inputsAt, parameters } = createSubject(shapeNamed(process.argv[2] ?? 'a'));
const runner = createEagerRunner(program, state);

let step = 0;
let loss = 0;
await answerRequests(async (_request, count) => {
  const ms = await timeRuns(count, async () => {
    loss = numberOf((await runner.run.step(inputsAt(step++))).loss);
  });
  return { ms, loss, parameters };
});
