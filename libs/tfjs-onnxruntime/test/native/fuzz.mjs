/**
 * Ops of the native addon on random shapes and numbers, for as many seconds as it is told: empty tensors, single rows and columns, odd
 * widths, arrays that lie anywhere, NaN and infinities, shapes that do not fit. Results with four threads are those with one, bit
 * for bit, and near to sums in double precision.
 *   node libs/tfjs-onnxruntime/test/native/fuzz.mjs SECONDS [SEED]
 */
import assert from 'node:assert/strict';
import { loadNative } from 'ort-native';
import { order } from '../../dist/graph/order.js';
import { node, placeholder } from '../../dist/graph/value.js';
import { encodeModel } from '../../dist/onnx/encode.js';
import { modelMessage } from '../../dist/onnx/model.js';
import { CASES } from './cases.mjs';
import { currentSeed, integer, moved, next, oneOf, setSeed, size, tensor } from './random.mjs';

const [seconds = '10', seed = String(Date.now() % 1e9)] = process.argv.slice(2);
const runtime = loadNative().runtime ?? assert.fail('the native addon has not been built');
setSeed(Number(seed));

/** @typedef {import('./cases.mjs').Case} Case */

/** One op as a model. @param {Case} given */
function model({ op, inputs, outputs, attributes = {} }) {
  const operands = inputs.map(({ shape }, i) => placeholder(`x${i}`, 'float32', shape));
  const specs = outputs.map((shape) => ({ type: /** @type {const} */ ('float32'), shape }));
  const values = node(op, operands, attributes, specs, 'ort.native');
  const named = values.map((value, i) => ({ name: `y${i}`, value }));
  const names = new Map(operands.map((value, i) => [value, `x${i}`]));
  return encodeModel(modelMessage(order(values), { inputs: names, outputs: named }).message);
}

/** What the op writes, and what it leaves in its inputs. @param {Case} given @param {number} threads @returns {Float32Array[]} */
function run(given, threads) {
  const options = {
    threads,
    optimization: /** @type {const} */ (0),
    spinning: false,
    profile: '',
    external: [],
  };
  const session = runtime.createSession(model(given), options);
  try {
    const inputs = given.inputs.map(({ shape, data }, i) => ({
      ...{ name: `x${i}`, type: /** @type {const} */ (1), shape, data },
    }));
    const results = runtime.run(
      session,
      inputs,
      given.outputs.map((_, i) => ({ name: `y${i}` })),
    );
    const written = results.map(
      (result) => new Float32Array(/** @type {{ buffer: ArrayBuffer }} */ (result).buffer),
    );
    return [...written, ...given.inputs.map(({ data }) => data.slice())];
  } finally {
    runtime.release(session);
  }
}

/** The same numbers in arrays at other places. @param {Case} given @returns {Case} */
const copied = (given) => ({ ...given, inputs: given.inputs.map(moved) });

/** @param {Float32Array} array */
const bytes = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Relative to the number, or to how large the terms of its sum may have been. */
const TOLERANCE = 1e-4;

/** @param {Float32Array} found @param {ArrayLike<number>} expected @param {number} largest @param {string} what */
function assertNear(found, expected, largest, what) {
  assert.equal(found.length, expected.length, what);
  for (let i = 0; i < found.length; i++) {
    const [x, e] = [found[i] ?? NaN, expected[i] ?? NaN];
    if (Math.abs(x - e) <= TOLERANCE * Math.max(largest, Math.abs(e))) continue;
    assert.fail(`${what}: element ${i} is ${x}, not ${e}`);
  }
}

let [fitting, misfits] = [0, 0];
const deadline = performance.now() + 1000 * Number(seconds);
while (performance.now() < deadline) {
  const before = currentSeed();
  const wild = next() < 0.3;
  const given = oneOf(CASES)(wild);
  const shapes = given.inputs.map(({ shape }) => `[${shape}]`).join(' ');
  const what = `${given.op} of ${shapes}, seed ${before}`;
  try {
    const [one, four] = [run(copied(given), 1), run(copied(given), 4)];
    one.forEach((array, i) =>
      assert(
        bytes(array).equals(bytes(/** @type {Float32Array} */ (four[i]))),
        `${what}: result ${i} differs with four threads`,
      ),
    );
    if (!wild && given.expected) {
      given.expected(given.inputs.map(({ data }) => data)).forEach((expected, i) => {
        const rows = (given.inputs[0]?.shape[0] ?? 1) + 1;
        assertNear(
          /** @type {Float32Array} */ (one[i]),
          expected,
          10 * Math.sqrt(rows),
          `${what}, output ${i}`,
        );
      });
    }
    fitting++;
  } catch (error) {
    console.error(what);
    throw error;
  }
  // One operand of another shape: an error, or a result where the op asks for no more than it has.
  const misfit = copied(given);
  const k = integer(0, misfit.inputs.length - 1);
  misfit.inputs[k] = tensor(
    Array.from({ length: integer(0, 4) }, () => size(40)).map((d, i) => (i > 1 ? d % 5 : d)),
    wild,
  );
  try {
    run(misfit, oneOf([1, 4]));
  } catch (error) {
    assert(error instanceof Error && error.message.length > 10, what);
    misfits++;
  }
}
console.log(`${fitting} random cases, and ${misfits} that were refused; seed ${seed}`);
