/**
 * One line on the progress of training: rewritten in place on a terminal, printed every few seconds elsewhere. All times
 * are in seconds.
 */
const LINE_SECONDS = 5;
const TERMINAL_SECONDS = 0.2;

export interface ProgressPrinter {
  /** Shows the line now if enough time has passed since the last, or when `force` is set. */
  update: (line: string, force?: boolean) => void;
  /** Prints a line that stays. */
  log: (line: string) => void;
}

export function createProgressPrinter(
  stream: NodeJS.WriteStream = process.stdout,
  now: () => number = () => performance.now() / 1000,
): ProgressPrinter {
  let last = stream.isTTY ? -Infinity : now();
  let open = false;
  const close = () => {
    if (open) stream.write('\n');
    open = false;
  };
  return {
    update(line, force = false) {
      if (!force && now() - last < (stream.isTTY ? TERMINAL_SECONDS : LINE_SECONDS)) return;
      last = now();
      if (stream.isTTY) {
        const columns = Math.max(20, stream.columns ?? 80);
        stream.write(`\r\x1b[2K${line.slice(0, columns - 1)}`);
        open = true;
      } else {
        stream.write(`${line}\n`);
      }
    },
    log(line) {
      close();
      stream.write(`${line}\n`);
    },
  };
}

/** An amount (of images, of time) per second, averaged over the last steps. */
export function createSpeedometer(window = 20): (amount: number, seconds: number) => number {
  const recent: [amount: number, seconds: number][] = [];
  return (amount, seconds) => {
    recent.push([amount, seconds]);
    if (recent.length > window) recent.shift();
    const [sum, time] = recent.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    return sum / time;
  };
}
