/** The reference: the suite on TensorFlow.js' own JavaScript backend. Shows that the harness loses no spec. */
import '@tensorflow/tfjs-backend-cpu';
import { runSuite } from '../suite.js';

await runSuite('cpu', []);
