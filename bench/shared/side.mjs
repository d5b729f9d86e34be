/** The sides of a comparison: each is a child process that answers requests, one line of JSON for each line. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Highest resident set of this process so far, MB; the system's own figure where /proc is missing. */
export function peakRssMb() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  } catch {
    return Math.round(process.resourceUsage().maxRSS / 1024);
  }
}

/**
 * What a side does: answers each request on standard input, adding the peak memory of its process.
 * @param {(request: string, argument: number) => Promise<object>} answer
 */
export async function answerRequests(answer) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [request = '', argument] = line.split(' ');
    console.log(JSON.stringify({ ...(await answer(request, Number(argument))), peakRssMb: peakRssMb() }));
  }
}

/** Milliseconds of each of some runs. @param {number} count @param {() => Promise<void>} run */
export async function timeRuns(count, run) {
  const ms = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await run();
    ms.push(performance.now() - started);
  }
  return ms;
}

/**
 * Starts a side of the bench.
 * @param {string} name @param {string} command @param {string[]} args
 */
export function startSide(name, command, args) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  // A side that has ended says so by its missing answer.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  async function answer() {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} ended without an answer`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }
  /** A side that takes longer is ended. @param {string} request @param {number} [timeoutMs] */
  async function ask(request, timeoutMs) {
    child.stdin.write(`${request}\n`);
    if (timeoutMs === undefined) return answer();
    const late = AbortSignal.timeout(timeoutMs);
    const end = () => child.kill();
    late.addEventListener('abort', end);
    try {
      return await answer();
    } catch (error) {
      throw late.aborted ? new Error(`no answer in ${timeoutMs / 1000} s`, { cause: error }) : error;
    } finally {
      late.removeEventListener('abort', end);
    }
  }
  return {
    name,
    ask,
    /** Times `steps` steps. @param {number} steps @returns {Promise<{ ms: number[], loss: number, parameters: number, peakRssMb: number }>} */
    run: (steps) => ask(`run ${steps}`),
    /**
     * Times steps on texts of so many tokens; only PyTorch answers.
     * @param {number} steps @param {number} tokens @returns {Promise<{ ms: number[], peakRssMb: number }>}
     */
    runWith: (steps, tokens) => ask(`run ${steps} ${tokens}`),
    stop: () => child.stdin.end(),
  };
}
