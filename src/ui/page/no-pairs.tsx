/** What a view shows in place of pairs, or of counts of them. */
import type { RequestFailure } from './api.ts'
import { state } from './pairs.ts'

/** There are no pairs, or the filter selects none. */
export function NoPairs() {
  const seen = state.value?.seen ?? 0
  return <p class="empty">{seen === 0 ? 'No pairs yet.' : 'No pair that is held matches the filter.'}</p>
}

/** No data has arrived yet. What is wrong with a filter is shown there. @param failure why it has not; null: it is awaited */
export function NoData({ failure }: { failure: RequestFailure | null }) {
  if (failure === null || failure.status === 400) return <p class="empty">…</p>
  return <p class="empty bad">{failure.message}</p>
}
