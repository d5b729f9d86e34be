/**
 * The port through which the collection says that it changed. The adapter keeps what search needs in step
 * with the rows; the collection knows nothing else of it.
 */
export const SEARCH_INDEX = Symbol('SearchIndex');

export interface SearchIndex {
  /** Applies what has changed in the database since the last call. Called after every change. */
  catchUp(): Promise<void>;
}
