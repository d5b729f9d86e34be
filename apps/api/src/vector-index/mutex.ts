/** Runs asynchronous sections one after the other, in the order in which they asked. */
export class Mutex {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(section: () => Promise<T>): Promise<T> {
    const result = this.last.then(section);
    this.last = result.catch(() => undefined);
    return result;
  }
}
