/**
 * How much memory decoding takes at one time, in bytes: for the model, for thumbnails, for files that are encoded
 * again.
 *
 * 1. An image that needs more than all of the budget takes all of it.
 * 2. Work that finds no room waits in line, and nothing overtakes it: neither kind of work starves.
 */
export class DecodeBudget {
  private used = 0;
  private readonly line: { bytes: number; start: () => void }[] = [];
  /** Somebody whose turn it is looks for what fits; the others in line are behind. */
  private isTurn = false;

  constructor(readonly total: number) {}

  /** Whether there is room for this many bytes now. */
  fits(bytes: number): boolean {
    return (this.isTurn || this.line.length === 0) && this.hasRoom(bytes);
  }

  /** Takes room for `bytes`, which {@link fits} found; returns the function that gives it back. */
  take(bytes: number): () => void {
    const taken = Math.min(bytes, this.total);
    this.used += taken;
    return () => {
      this.used -= taken;
      this.serve();
    };
  }

  /** Does `work` when there is room for `bytes`. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const giveBack = await new Promise<() => void>((resolve) => {
      this.line.push({ bytes, start: () => resolve(this.take(bytes)) });
      this.serve();
    });
    try {
      return await work();
    } finally {
      giveBack();
    }
  }

  /** Calls `listener` once, in its turn of the line, when nothing is being decoded. */
  whenIdle(listener: () => void): void {
    const start = () => {
      this.isTurn = true;
      try {
        listener();
      } finally {
        this.isTurn = false;
      }
    };
    this.line.push({ bytes: this.total, start });
    this.serve();
  }

  private serve(): void {
    for (let first = this.line[0]; first !== undefined && this.hasRoom(first.bytes); first = this.line[0]) {
      this.line.shift();
      first.start();
    }
  }

  private hasRoom(bytes: number): boolean {
    return this.used + Math.min(bytes, this.total) <= this.total;
  }
}
