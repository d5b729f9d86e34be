/** The service cannot start as configured; the message tells a person what to change. Exit code 2. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}
