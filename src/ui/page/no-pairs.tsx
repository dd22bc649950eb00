/** What a view shows in place of pairs, or of counts of them. */
import type { RequestFailure } from './api.ts'
import { state } from './pairs.ts'

/** The text where the source has no pairs yet, or the filter selects none. */
export function NoPairs() {
  const seen = state.value?.seen ?? 0
  return <p class="empty">{seen === 0 ? 'No pairs yet.' : 'No pair that is held matches the filter.'}</p>
}

/**
 * The text where no data has arrived. An error of the filter (status 400) is shown by the filter itself.
 *
 * @param failure null: the first answer is awaited
 */
export function NoData({ failure }: { failure: RequestFailure | null }) {
  if (failure === null || failure.status === 400) return <p class="empty">…</p>
  return <p class="empty bad">{failure.message}</p>
}
