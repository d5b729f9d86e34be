/**
 * How many pixels are decoded at one time: for the model, for thumbnails, for files that are encoded again.
 *
 * 1. An image larger than all of the budget takes all of it.
 * 2. Whoever finds no room waits in line, and while somebody waits nobody overtakes: neither kind of work starves.
 */
export class PixelBudget {
  private used = 0;
  private readonly line: { pixels: number; start: () => void }[] = [];
  /** Somebody whose turn it is looks for what fits; the others in line are behind. */
  private isTurn = false;

  constructor(readonly total: number) {}

  /** Whether so many pixels could be decoded now. */
  fits(pixels: number): boolean {
    return (this.isTurn || this.line.length === 0) && this.hasRoom(pixels);
  }

  /** Takes room for `pixels`, which {@link fits} found; returns the function that gives it back. */
  take(pixels: number): () => void {
    const taken = Math.min(pixels, this.total);
    this.used += taken;
    return () => {
      this.used -= taken;
      this.serve();
    };
  }

  /** Does `work` when there is room for `pixels`. */
  async run<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    const giveBack = await new Promise<() => void>((resolve) => {
      this.line.push({ pixels, start: () => resolve(this.take(pixels)) });
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
    this.line.push({ pixels: this.total, start });
    this.serve();
  }

  private serve(): void {
    for (let first = this.line[0]; first !== undefined && this.hasRoom(first.pixels); first = this.line[0]) {
      this.line.shift();
      first.start();
    }
  }

  private hasRoom(pixels: number): boolean {
    return this.used + Math.min(pixels, this.total) <= this.total;
  }
}
