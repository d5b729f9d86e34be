/** The part of the WebAssembly API that is used here; TypeScript has it only together with the browser's DOM. */
declare namespace WebAssembly {
  class Memory {
    /** Sizes are in pages of 64 KiB. */
    constructor(limits: { initial: number; maximum: number });
    /** The contents. Another one after `grow`. */
    readonly buffer: ArrayBuffer;
    /** Adds pages and returns how many there were before. */
    grow(pages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>);
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } });
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
