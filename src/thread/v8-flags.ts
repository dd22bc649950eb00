/**
 * Tunes V8's compilers for code of which a little is hot for as long as the program runs. Each flag was measured side by side
 * (bench/findings.md). It affects the whole process.
 */
import { setFlagsFromString } from 'node:v8'

/** The hot path exceeds V8's inlining budgets. Node.js 20 gains nothing by higher ones, and keeps its defaults. */
const INLINING = ['--max-inlined-bytecode-size-cumulative=4000', '--max-inlined-bytecode-size=1000']
const INLINING_MAJOR = 22
/**
 * Makes TurboFan wait until a function has been called often. By default it compiles everything within the first
 * second, and much of that again once other types occur. Until then Maglev, which compiles faster, serves longer and
 * starts earlier. Node.js before 24 does not use it.
 */
const TIERS = ['--invocation-count-for-maglev=200', '--invocation-count-for-turbofan=40000']
const TIERS_MAJOR = 24

/**
 * Sets the flags with which this version of Node.js is faster. Call it before any code is hot, because code that is
 * optimized by then stays as it is; but call it as late as that permits: V8 accepts kept code only while its flags are
 * those with which the code was made. That holds for the programs in WebAssembly (sys/kept-code.ts), and for Node.js's
 * own modules, which each thread loads.
 */
export function setCompilerFlags(): void {
  const major = Number.parseInt(process.versions.node, 10)
  if (major >= INLINING_MAJOR) for (const flag of INLINING) setFlagsFromString(flag)
  if (major >= TIERS_MAJOR) for (const flag of TIERS) setFlagsFromString(flag)
}
