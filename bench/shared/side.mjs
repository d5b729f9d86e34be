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
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** @param {string} request */
  async function ask(request) {
    child.stdin.write(`${request}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} ended without an answer`);
      if (value.startsWith('{')) return JSON.parse(value);
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
    /** Where the time goes; only our side answers. @returns {Promise<{ totalMs: number, gemmMs: number, gemmFlops: number }>} */
    profile: () => ask('profile'),
    stop: () => child.stdin.end(),
  };
}
