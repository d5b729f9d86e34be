/**
 * Boots jasmine 3, loads tfjs-core's published specs for one backend and runs them. Ends with the plain line
 * `N passed, N failed` (and `, N skipped` for listed expected failures) and exit code 1 when anything failed.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import Jasmine from 'jasmine';
import type { ExpectedFailure } from './expected-failures.js';
import { judgeSpecs, type SpecResult } from './judge-specs.js';
import { formatFailures } from './report.js';

/** What jasmine hands to `specDone`. */
interface JasmineSpec {
  fullName: string;
  status: 'passed' | 'failed' | 'excluded' | 'pending' | 'disabled';
  duration: number | null;
  failedExpectations: { message: string; stack?: string }[];
}

/**
 * Runs every spec (those whose name matches `--filter`) on the registered backend `backendName`, prints failures
 * grouped by suite and error, and sets the exit code. `--report FILE` writes every result as JSON, `--list` prints
 * the failing specs one by one.
 */
export async function runSuite(
  backendName: string,
  expectedFailures: readonly ExpectedFailure[],
): Promise<void> {
  const { values } = parseArgs({
    options: {
      backend: { type: 'string' },
      filter: { type: 'string' },
      report: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const filter = values.filter ? new RegExp(values.filter, 'i') : undefined;
  const plainName = (fullName: string) => fullName.replace(` ${backendName} {}`, '');

  const jasmine = new Jasmine({});
  jasmine.exitOnCompletion = false;
  jasmine.clearReporters();
  jasmine.env.configure({
    random: false,
    specFilter: (spec: { getFullName(): string }) => filter?.test(plainName(spec.getFullName())) ?? true,
  });

  const results: SpecResult[] = [];
  const outside: string[] = [];
  jasmine.addReporter({
    specDone(spec: JasmineSpec) {
      if (spec.status === 'excluded' || spec.status === 'disabled' || spec.status === 'pending') return;
      results.push({
        spec: plainName(spec.fullName),
        passed: spec.status === 'passed',
        errors: spec.failedExpectations.map(({ message, stack }) => ({ message, stack: stack ?? '' })),
        milliseconds: spec.duration ?? 0,
      });
      if (process.stdout.isTTY && results.length % 100 === 0)
        process.stdout.write(`\r${results.length} specs`);
    },
    suiteDone({ description, failedExpectations }: { description: string } & JasmineSpec) {
      for (const { message } of failedExpectations) outside.push(`${description}: ${message}`);
    },
  });

  setTestEnvs([{ name: backendName, backendName, isDataSync: true }]);
  await import('@tensorflow/tfjs-core/dist/tests.js');
  const started = performance.now();
  await jasmine.execute();

  const verdict = judgeSpecs(results, filter ? [] : expectedFailures);
  if (values.report)
    writeFileSync(resolve(process.env.INIT_CWD ?? '.', values.report), JSON.stringify(results, null, 1));
  console.log(
    `\n${backendName}: ${results.length} specs in ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  for (const line of outside) console.log(`outside a spec: ${line}`);
  console.log(formatFailures(verdict.failed, { list: values.list }));
  for (const spec of verdict.stale) console.log(`listed as an expected failure, but did not fail: ${spec}`);
  const failed = verdict.failed.length + verdict.stale.length + outside.length;
  console.log(`${verdict.passed} passed, ${failed} failed, ${verdict.expected} skipped`);
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
}
