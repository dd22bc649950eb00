/** The text that a view shows instead of pairs or counts. */
import type { RequestFailure } from './api.ts'
import { state } from './pairs.ts'

/** The text if the source has no pairs yet, or the filter selects none. */
export function NoPairs() {
  const seen = state.value?.seen ?? 0
  return <p class="empty">{seen === 0 ? 'No pairs yet.' : 'No pair that is held matches the filter.'}</p>
}

/**
 * The text while no data has arrived. An error of the filter (status 400) is shown by the filter itself.
 *
 * @param failure null: the first response is pending
 */
export function NoData({ failure }: { failure: RequestFailure | null }) {
  if (failure === null || failure.status === 400) return <p class="empty">…</p>
  return <p class="empty bad">{failure.message}</p>
}
