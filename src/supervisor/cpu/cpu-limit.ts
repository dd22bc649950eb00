/**
 * CPUs that this process may use, including the quota of its control groups, which `os.availableParallelism` ignores:
 * cgroup v2's `cpu.max`, v1's `cpu.cfs_quota_us` (Documentation/admin-guide/cgroup-v2.rst, "CPU").
 */
import { availableParallelism } from 'node:os'
import { groupFolders, type ReadText, readText } from '../../sys/control-groups.ts'

/** @returns CPUs, possibly a fraction, at least 0.01 */
export function cpuLimit(read: ReadText = readText): number {
  return cpuQuota(read) ?? availableParallelism()
}

/** @returns CPUs as above, if a quota allows fewer than there are; null: none does */
export function cpuQuota(read: ReadText = readText): number | null {
  const { unified, legacy } = groupFolders('cpu', read)
  const quotas = [
    ...unified.map((folder) => quotient(...pairOf(read(`${folder}/cpu.max`)))),
    ...legacy.map((folder) => quotient(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`))),
  ]
  const least = Math.min(...quotas)
  return least < availableParallelism() ? Math.max(0.01, least) : null
}

function pairOf(text: string | null): [string, string] {
  const [quota = '', period = ''] = (text ?? '').split(/\s+/)
  return [quota, period]
}

/** Infinity where there is no quota. */
function quotient(quota: string | null, period: string | null): number {
  const cpus = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10)
  return cpus > 0 ? cpus : Number.POSITIVE_INFINITY
}
