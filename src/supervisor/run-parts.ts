/** What a run consists of besides its input. Loaded once the input is open, because bound sockets hold what arrives meanwhile. */

export { arrange } from './arrangement.ts'
export { cpuQuota } from './cpu/cpu-limit.ts'
export { Shedding } from './cpu/shedding.ts'
export { planRun } from './plan.ts'
export { RunWorkers } from './workers/run-workers.ts'
