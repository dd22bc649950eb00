/** Repeats test files that failed while others ran in parallel. */
import type { FileResult } from './test-file.ts'

/** If more files than this failed, the cause is the code or the machine, and repeating them would only take time. */
export const MOST_REPEATED = 8

/**
 * Runs each failed file once more, one after the other. A file that passes then counts as passed, and its result names
 * what had failed; one that fails again keeps its failures.
 *
 * @param results of all files, each run once
 * @param again runs the file with this name
 * @returns the results in the same order, with those of the repeated files in place of the first
 */
export async function repeatFailed(
  results: readonly FileResult[],
  again: (name: string) => Promise<FileResult>,
): Promise<FileResult[]> {
  const failed = results.filter(({ failures }) => failures.length > 0).length
  if (failed > MOST_REPEATED) return [...results]
  const final: FileResult[] = []
  for (const first of results) {
    if (first.failures.length === 0) {
      final.push(first)
      continue
    }
    const second = await again(first.name)
    const failedFirst = second.failures.length > 0 ? [] : first.failures.map(({ title }) => title)
    final.push({ ...second, failedFirst })
  }
  return final
}
