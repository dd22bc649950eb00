/** The part of the WebAssembly JavaScript interface that is used here; the types of Node.js leave it to those of browsers. */
declare namespace WebAssembly {
  class CompileError extends Error {}

  class Memory {
    /** @param descriptor pages of 64 KiB */
    constructor(descriptor: { initial: number; maximum: number; shared?: boolean })
    readonly buffer: ArrayBufferLike
  }

  class Module {
    constructor(bytes: Uint8Array)
  }

  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, Memory | ((...values: number[]) => unknown)>>)
    readonly exports: Record<string, unknown>
  }
}
