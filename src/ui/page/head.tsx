/** The head of the page: the source's title, the views, and the state of the source. */
import { addressOf, place, VIEWS, type View } from './location.ts'
import { failure, skipped, state } from './pairs.ts'
import { counted, grouped, rate } from './texts.ts'

const TITLES: Readonly<Record<View, string>> = {
  pairs: 'Pairs',
  map: 'Map',
  endpoints: 'Endpoints',
  ledger: 'Ledger',
  pods: 'Pods',
}

/** The head. */
export function Head() {
  const { view, filter } = place.value
  const title = state.value?.title ?? ''
  return (
    <header class="head">
      <a class="skip" href="#view">
        Skip to the view
      </a>
      <h1 title={title}>
        interceptor<span class="source">{title}</span>
      </h1>
      <nav aria-label="Views">
        {VIEWS.map((one) => (
          <a
            key={one}
            href={addressOf({ view: one, filter, open: null })}
            aria-current={one === view ? 'page' : undefined}
          >
            {TITLES[one]}
          </a>
        ))}
      </nav>
      <Status />
    </header>
  )
}

function Status() {
  if (failure.value !== null && failure.value.status !== 400) {
    return (
      <p class="state bad" role="alert">
        {failure.value.message}
      </p>
    )
  }
  const now = state.value
  if (now === null) return <p class="state">connecting…</p>
  const dropped = now.seen - now.held
  return (
    <p class="state" role="status" aria-live="off">
      {now.failure !== null ? (
        <span class="bad">{now.failure}</span>
      ) : now.ended ? (
        <span>ended</span>
      ) : (
        <span class="live">
          <i aria-hidden="true" />
          {rate(now.perSecond)}/s
        </span>
      )}
      <span>{counted(now.seen, 'pair')}</span>
      {dropped > 0 && <span title={`The newest ${grouped(now.mostPairs)} are held.`}>{grouped(now.held)} held</span>}
      {skipped.value > 0 && (
        <span class="warn" title="They arrived faster than this page could receive them.">
          {grouped(skipped.value)} not shown
        </span>
      )}
      {now.notReceived > 0 && (
        <span class="warn" title="The agent shipped them faster than they could be passed on.">
          {grouped(now.notReceived)} not received
        </span>
      )}
      {now.foreign > 0 && <span class="warn">{counted(now.foreign, 'record')} not pairs</span>}
    </p>
  )
}
