/** Limits the CPU of a process with a separate control group (cgroups v1 or v2). Needs root. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'

const PERIOD_MICROS = 10_000
const V1 = '/sys/fs/cgroup/cpu'
const V2 = '/sys/fs/cgroup'

/**
 * @param percent of one core
 * @returns a function that removes the group, once the process has ended
 * @throws Error if groups cannot be created
 */
export function limitCpu(pid: number, percent: number): () => void {
  const isV1 = existsSync(`${V1}/cpu.cfs_quota_us`)
  const group = `${isV1 ? V1 : V2}/interceptor-load-${pid}`
  const quota = String(Math.round((PERIOD_MICROS * percent) / 100))
  mkdirSync(group)
  if (isV1) {
    writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD_MICROS))
    writeFileSync(`${group}/cpu.cfs_quota_us`, quota)
  } else writeFileSync(`${group}/cpu.max`, `${quota} ${PERIOD_MICROS}`)
  writeFileSync(`${group}/cgroup.procs`, String(pid))
  return () => rmdirSync(group)
}
