/** Files and rows change together: a deletion must not take the file of an upload of the same bytes. */
import { Injectable } from '@nestjs/common';
import { Mutex } from 'async-mutex';
import { behindQueries } from '../database/query-patience.js';

@Injectable()
export class CollectionLock {
  private readonly mutex = new Mutex();

  /** Changes files and rows after whoever does so now. */
  run<T>(change: () => Promise<T>): Promise<T> {
    return behindQueries(() => this.background(change));
  }

  /** The same for work that nobody waits for. */
  background<T>(change: () => Promise<T>): Promise<T> {
    return this.mutex.runExclusive(change);
  }
}
