/** What a run consists of besides its input. Loaded once the input is open, because bound sockets hold what arrives meanwhile. */
export { allocateRing } from '../ring/byte-ring.ts'
export { Doorbell } from '../ring/doorbell.ts'
export { AssemblerPool } from './assembler-pool.ts'
export { CaptureSlot } from './capture-slot.ts'
export { planRun } from './plan.ts'
export { Shedding } from './shedding.ts'
export { ShipperSlot } from './shipper-slot.ts'
export { isSmallRun } from './small-run.ts'
