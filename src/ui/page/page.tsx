/** The page: a head with the navigation, and one view. */
import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import { EndpointsView } from './endpoints-view.tsx'
import { focusFilter } from './filter-bar.tsx'
import { Head } from './head.tsx'
import { HelpDialog, toggleHelp } from './help.tsx'
import { isTyping } from './keys.ts'
import { LedgerView } from './ledger-view.tsx'
import { go, place, VIEWS } from './location.ts'
import { MapView } from './map-view.tsx'
import { failure } from './pairs.ts'
import { PairsView } from './pairs-view.tsx'
import { PodsView } from './pods-view.tsx'

const CONTENT = { pairs: PairsView, map: MapView, endpoints: EndpointsView, ledger: LedgerView, pods: PodsView }

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
  const view = VIEWS[Number(event.key) - 1]
  if (view !== undefined) go({ view, open: null })
  else if (event.key === '?') toggleHelp()
  else if (event.key !== '/' || !focusFilter()) return
  event.preventDefault()
}

function Page() {
  useEffect(() => {
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  if (failure.value?.status === 401) return <NoToken />
  const Content = CONTENT[place.value.view]
  return (
    <>
      <Head />
      <main class="view" id="view">
        <Content />
      </main>
      <HelpDialog />
    </>
  )
}

function NoToken() {
  return (
    <main class="alone">
      <h1>The token is missing or wrong</h1>
      <p>
        Open the address that <code>interceptor ui</code> printed: it ends with <code>#token=…</code>. Each start has a
        new one.
      </p>
    </main>
  )
}

const root = document.getElementById('page')
if (root !== null) render(<Page />, root)
