/** What a run consists of besides its input. Loaded once the input is open, because bound sockets hold what arrives meanwhile. */
export { planRun } from './plan.ts'
export { RunWorkers } from './run-workers.ts'
export { Shedding } from './shedding.ts'
export { isSmallRun } from './small-run.ts'
