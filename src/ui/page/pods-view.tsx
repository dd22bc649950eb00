/** What was captured of each pod or interface and, if there is no pair, a sentence that explains why. */
import { connectionsText, reasonsText, sum } from '../../format/traffic-text.ts'
import type { TargetRow, TargetsView } from '../protocol.ts'
import { narrowTo } from './location.ts'
import { NoData } from './no-pairs.tsx'
import { usePoll } from './poll.ts'
import { counted, dayOf, grouped, timeOfDay } from './texts.ts'

const TITLES = ['Interface', 'Frames', 'Connections', 'Requests', 'Kept', 'Filtered', 'Lost', 'Last pair', 'Why']
const NUMBERS = ['Frames', 'Requests', 'Kept']

/** The view of pods. */
export function PodsView() {
  const { data, failure } = usePoll<TargetsView>('/api/targets')
  if (data === null) return <NoData failure={failure} />
  if (data.of === null) {
    return (
      <p class="empty">
        This source knows no pods; a node's agent does. Open the agent with <code>interceptor ui --agent URL</code>, or
        list its pods, and the reason where a pod has no pairs, with <code>interceptor pods --traffic</code>.
      </p>
    )
  }
  const isPods = data.of === 'pods'
  return (
    <div class="scroll">
      <p class="about">
        {isPods ? 'The pods of the node' : 'The captured interfaces'}, their traffic, and the reason where there is no
        pair.
        {data.leftOut > 0 && ` ${counted(data.leftOut, 'pod')} are not listed.`}
      </p>
      <div class="wide">
        <table class="data">
          <thead>
            <tr>
              {(isPods ? ['Pod', ...TITLES] : TITLES).map((title) => (
                <th key={title} scope="col" class={NUMBERS.includes(title) ? 'number' : undefined}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.rows.map((row) => (
              <Row key={row.name} row={row} isPod={isPods} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

function Row({ row, isPod }: { row: TargetRow; isPod: boolean }) {
  const [, pod = row.name] = row.name.split('/')
  return (
    <tr>
      <th scope="row">
        {isPod ? (
          <button type="button" class="link" onClick={() => narrowTo({ pod })}>
            {row.name}
          </button>
        ) : (
          row.name
        )}
      </th>
      {isPod && <td>{row.interfaces.join(', ') || '–'}</td>}
      <td class="number">{grouped(row.frames)}</td>
      <td>{connectionsText(row)}</td>
      <td class="number">{grouped(row.requests)}</td>
      <td class="number">{grouped(row.kept)}</td>
      <td>{reasonsText(row.filtered)}</td>
      <td class={sum(row.lost) > 0 ? 'warn' : undefined}>{reasonsText(row.lost)}</td>
      <td>{lastPairText(row.lastPairMicros)}</td>
      <td>{row.advice}</td>
    </tr>
  )
}

const lastPairText = (micros: number | null): string =>
  micros === null ? '–' : `${dayOf(micros)} ${timeOfDay(micros)}`
