/** The ledger as a funnel: what entered each stage, what reached the next one, and every loss with its reason. */
import type { FunnelLoss, FunnelStage, FunnelView } from '../protocol.ts'
import { NoData } from './no-pairs.tsx'
import { usePoll } from './poll.ts'
import { counted, counterDocument, grouped, LEDGER_DOCUMENT } from './texts.ts'

/** The view of the ledger. */
export function LedgerView() {
  const { data, failure } = usePoll<FunnelView>('/api/ledger')
  if (data === null) return <NoData failure={failure} />
  if (data.stages === null) {
    return (
      <p class="empty">
        This source has no ledger: a topic holds pairs only. What was lost on the way to it is in the metrics of the
        agents.
      </p>
    )
  }
  return (
    <div class="scroll ledger">
      <p class="about">
        Each stage counts what enters it, what reaches the next stage, and every loss by its reason.{' '}
        <a href={LEDGER_DOCUMENT} target="_blank" rel="noreferrer noopener">
          What every counter means
        </a>
      </p>
      {data.stages.map((stage) => (
        <Stage key={stage.title} stage={stage} />
      ))}
    </div>
  )
}

function Stage({ stage }: { stage: FunnelStage }) {
  const whole = Math.max(1, stage.in)
  const share = (count: number): string => `${(count / whole) * 100}%`
  return (
    <section class="stage" aria-label={stage.title}>
      <h2>{stage.title}</h2>
      <p class="sum">
        <b>{counted(stage.in, stage.unit)}</b>
        <span aria-hidden="true">→</span>
        <b class="ok">
          {grouped(stage.out)} {stage.outName}
        </b>
        <span>{percent(stage.out, stage.in)}</span>
      </p>
      <div class="bar" aria-hidden="true">
        <i class="out" style={{ width: share(stage.out) }} />
        {stage.losses.map((loss) => (
          <i key={loss.path} class="loss" style={{ width: share(loss.count) }} />
        ))}
      </div>
      <Losses losses={stage.losses} whole={stage.in} />
      {stage.rest > 0 && <p class="rest">{counted(stage.rest, stage.unit)} without an outcome so far</p>}
      {stage.beside.length > 0 && (
        <details>
          <summary>Also counted</summary>
          <Losses losses={stage.beside} whole={null} />
        </details>
      )}
    </section>
  )
}

const percent = (part: number, whole: number): string =>
  whole === 0 ? '' : `${part === whole ? 100 : ((part / whole) * 100).toFixed(1)} %`

function Losses({ losses, whole }: { losses: readonly FunnelLoss[]; whole: number | null }) {
  if (losses.length === 0) return null
  return (
    <table class="losses">
      <tbody>
        {losses.map(({ path, count, meaning }) => (
          <tr key={path}>
            <td class="number">{grouped(count)}</td>
            <td class="number muted">{whole === null ? '' : percent(count, whole)}</td>
            <th scope="row">
              <a href={counterDocument(path)} target="_blank" rel="noreferrer noopener">
                <code>{path}</code>
              </a>
            </th>
            <td>{meaning}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
