/**
 * CPUs that this process may use, including the limit of a container's quota, which `os.availableParallelism` ignores:
 * cgroup v2's `cpu.max`, v1's `cpu.cfs_quota_us` (Documentation/admin-guide/cgroup-v2.rst, "CPU").
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** @returns CPUs, possibly a fraction, at least 0.01 */
export function cpuLimit(cgroupRoot = '/sys/fs/cgroup'): number {
  const quota = unifiedQuota(cgroupRoot) ?? legacyQuota(cgroupRoot) ?? Number.POSITIVE_INFINITY
  return Math.max(0.01, Math.min(quota, availableParallelism()))
}

function unifiedQuota(root: string): number | null {
  const [quota, period] = read(`${root}/cpu.max`).split(/\s+/)
  return quotient(quota, period)
}

function legacyQuota(root: string): number | null {
  return quotient(read(`${root}/cpu/cpu.cfs_quota_us`), read(`${root}/cpu/cpu.cfs_period_us`))
}

function quotient(quota: string | undefined, period: string | undefined): number | null {
  const cpus = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10)
  return cpus > 0 ? cpus : null
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
