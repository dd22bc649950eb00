/** One exchange in full. */
import { useEffect, useState } from 'preact/hooks'
import { RequestFailure, request, requestJson } from './api.ts'
import { BodyView } from './body-view.tsx'
import type { Exchange, ExchangeEnd, ExchangeMessage } from './exchange.ts'
import { isTyping } from './keys.ts'
import { SaveButton } from './save-button.tsx'
import { counted, shortDuration, statusClass } from './texts.ts'

/** One exchange. @param seq the number of its pair */
export function ExchangeView({ seq, onClose }: { seq: number; onClose: () => void }) {
  const [exchange, setExchange] = useState<Exchange | null>(null)
  const [failure, setFailure] = useState<RequestFailure | null>(null)
  useEffect(() => {
    const abort = new AbortController()
    requestJson<Exchange>(`/api/pairs/${seq}`, abort.signal).then(setExchange, (error: unknown) => {
      if (error instanceof RequestFailure) setFailure(error)
    })
    return () => abort.abort()
  }, [seq])
  return (
    <section class="exchange" aria-label="Exchange">
      <div class="toolbar">
        <Actions seq={seq} />
        <button type="button" class="close" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          ✕
        </button>
      </div>
      {failure !== null && (
        <p class="fault" role="alert">
          {failure.status === 404 ? 'This pair is no longer held.' : failure.message}
        </p>
      )}
      {exchange !== null && <Content exchange={exchange} />}
    </section>
  )
}

function Actions({ seq }: { seq: number }) {
  const [note, setNote] = useState('')
  const [shown, setShown] = useState('')
  const copy = async (): Promise<void> => {
    let text = ''
    try {
      text = await (await request(`/api/pairs/${seq}/curl`)).text()
      await navigator.clipboard.writeText(text)
      setNote('copied')
    } catch (error) {
      // Over HTTP, browsers grant clipboard access only to pages from this machine, and some ask the user first.
      setNote(text === '' && error instanceof Error ? error.message : 'the browser does not allow copying:')
      setShown(text)
    }
  }
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'c' && !event.ctrlKey && !event.metaKey && !isTyping(event)) void copy()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [seq])
  return (
    <>
      <button type="button" onClick={() => void copy()}>
        Copy as curl
      </button>
      <SaveButton label="Save HAR" path={`/api/pairs/${seq}/har`} name={`pair-${seq}.har`} />
      <span class="note" role="status">
        {note}
      </span>
      {shown !== '' && <pre class="text curl">{shown}</pre>}
    </>
  )
}

function Content({ exchange }: { exchange: Exchange }) {
  const { request, response, capture, flags } = exchange
  return (
    <>
      <h2>
        <b>{request.method}</b> <span class="long">{request.target}</span>
      </h2>
      <p class="outcome">
        <b class={statusClass(response.status)}>
          {response.status} {response.reason}
        </b>
        <span>{shortDuration(exchange.responseEndMicros - exchange.requestStartMicros)}</span>
        <time>{new Date(exchange.requestStartMicros / 1000).toISOString()}</time>
      </p>
      <Timing exchange={exchange} />
      <dl class="facts">
        <Fact name="Client" value={endText(exchange.client)} />
        <Fact name="Server" value={endText(exchange.server)} />
        <Fact
          name="Captured"
          value={`${capture.interface} on ${capture.node}, ${capture.vantage}${capture.mesh === null ? '' : `, ${capture.mesh}`}`}
        />
        <Fact name="Id" value={exchange.id} />
        {flags.length > 0 && <Fact name="Flags" value={flags.join(', ')} />}
      </dl>
      <MessageView
        title="Request"
        line={`${request.method} ${request.target} HTTP/${request.httpVersion}`}
        message={request}
      />
      <MessageView
        title="Response"
        line={`HTTP/${response.httpVersion} ${response.status} ${response.reason}`}
        message={response}
      />
    </>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function endText({ address, port, pod }: ExchangeEnd): string {
  const at = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  if (pod === null) return at
  const workload = pod.workload === null ? '' : `${pod.workload.kind}/${pod.workload.name}, `
  const name = `${pod.namespace === null ? '' : `${pod.namespace}/`}${pod.name ?? 'unknown pod'}`
  return `${at}: ${workload}${name}${pod.container === '' ? '' : ` (${pod.container})`}`
}

/** How long the request took to send, the server to answer, and the response to arrive. */
function Timing({ exchange }: { exchange: Exchange }) {
  const { requestStartMicros: start } = exchange
  const sent = Math.max(start, Math.min(exchange.requestEndMicros, exchange.responseStartMicros))
  const answered = Math.max(sent, exchange.responseStartMicros)
  const end = Math.max(answered, exchange.responseEndMicros)
  const parts = [
    ['Request', sent - start],
    ['Wait', answered - sent],
    ['Response', end - answered],
  ] as const
  const whole = Math.max(1, end - start)
  return (
    <div class="timing">
      <div class="bar" aria-hidden="true">
        {parts.map(([name, micros]) => (
          <i key={name} class={name.toLowerCase()} style={{ width: `${(micros / whole) * 100}%` }} />
        ))}
      </div>
      <dl>
        {parts.map(([name, micros]) => (
          <div key={name}>
            <dt class={name.toLowerCase()}>{name}</dt>
            <dd>{shortDuration(micros)}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function MessageView({ title, line, message }: { title: string; line: string; message: ExchangeMessage }) {
  return (
    <section class="message" aria-label={title}>
      <h3>
        {title} <span>{counted(message.wireSize, 'byte')} on the wire</span>
      </h3>
      <details open>
        <summary class="long mono">{line}</summary>
        <table class="headers">
          <tbody>
            {message.headers.map(([name, value], index) => (
              // The index is the key: names may repeat, and the order of fields never changes.
              <tr key={index}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
      <BodyView message={message} />
    </section>
  )
}
