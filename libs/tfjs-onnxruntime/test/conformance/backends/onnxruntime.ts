/** The suite on this package's backend, from source. */
import '../../../src/index.js';
import { EXPECTED_FAILURES } from '../expected-failures.js';
import { runSuite } from '../suite.js';

await runSuite('onnxruntime', EXPECTED_FAILURES);
