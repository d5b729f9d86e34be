// Vitest reporter: closes a run with one plain line, `N passed, N failed, N skipped`, for scripts and logs.

export default class PlainSummary {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors errors outside any test count as failures
   */
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) count[test.result().state] += 1;
      // A file that fails to load has no tests, yet is a failure.
      if (tests.length === 0 && !module.ok()) count.failed += 1;
    }
    // After the default reporter's own summary.
    process.once('exit', () => {
      process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  }
}
