/** Files and rows change together: a deletion must not take the file of an upload of the same bytes. */
import { Injectable } from '@nestjs/common';
import { Mutex } from 'async-mutex';
import { endWaitForSlowQueries } from '../database/query-timeout.js';

@Injectable()
export class CollectionLock {
  private readonly mutex = new Mutex();

  /** Changes files and rows after the change under way. */
  run<T>(change: () => Promise<T>): Promise<T> {
    return endWaitForSlowQueries(() => this.background(change));
  }

  /** The same for work that no request waits for. */
  background<T>(change: () => Promise<T>): Promise<T> {
    return this.mutex.runExclusive(change);
  }
}
