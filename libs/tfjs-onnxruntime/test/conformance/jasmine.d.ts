/** The part of jasmine 3's runner that suite.ts uses; the package has no types. */
declare module 'jasmine' {
  export default class Jasmine {
    constructor(options: { projectBaseDir?: string });
    exitOnCompletion: boolean;
    readonly env: {
      configure(options: { random: boolean; specFilter(spec: { getFullName(): string }): boolean }): void;
    };
    clearReporters(): void;
    addReporter(reporter: object): void;
    execute(): Promise<void>;
  }
}
