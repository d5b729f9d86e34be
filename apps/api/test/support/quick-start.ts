/** Options of Node.js for processes that live as long as a test. */

/**
 * V8's fast compilers alone, functions compiled when they are called, and a young generation that a start does not fill:
 * optimising the database's WebAssembly and the program's JavaScript takes a third of the processor time of a start, and
 * collecting garbage a twentieth, which pays off only in a service that runs for longer than a test does.
 */
export const QUICK_START: readonly string[] = [
  '--liftoff-only',
  '--no-opt',
  '--max-lazy',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
];
