/** What was seen of each pod, or of each interface, and one sentence that says why. */
import type { WhyRow, WhyView } from '../protocol.ts'
import { narrowTo } from './location.ts'
import { NoData } from './no-pairs.tsx'
import { usePoll } from './poll.ts'
import { counted, grouped, timeOfDay } from './texts.ts'

const TITLES = ['Frames', 'Connections', 'Requests', 'Pairs', 'Filtered', 'Lost', 'Last pair', 'Why']
const NUMBERS = ['Frames', 'Requests', 'Pairs', 'Filtered', 'Lost']

/** The view of pods. */
export function PodsView() {
  const { data, failure } = usePoll<WhyView>('/api/why')
  if (data === null) return <NoData failure={failure} />
  if (data.of === null) {
    return (
      <p class="empty">
        Which pods are captured, and why one shows nothing, is what an agent knows:{' '}
        <code>interceptor pods --traffic</code> asks the one of a node.
      </p>
    )
  }
  const isPods = data.of === 'pods'
  return (
    <div class="scroll">
      <p class="about">
        {isPods ? 'The pods of the node' : 'The interfaces that are captured'}, what was seen there, and why.
        {data.leftOut > 0 && ` ${counted(data.leftOut, 'pods')} are not listed.`}
      </p>
      <div class="wide">
        <table class="data">
          <thead>
            <tr>
              {[isPods ? 'Pod' : 'Interface', ...TITLES].map((title) => (
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

function Row({ row, isPod }: { row: WhyRow; isPod: boolean }) {
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
      <td class="number">{grouped(row.frames)}</td>
      <td>{connectionsText(row.connections)}</td>
      <td class="number">{grouped(row.requests)}</td>
      <td class="number">{grouped(row.kept)}</td>
      <td class="number">{grouped(row.filtered)}</td>
      <td class={row.lost > 0 ? 'number warn' : 'number'}>{grouped(row.lost)}</td>
      <td>{row.lastPairMicros === null ? '–' : timeOfDay(row.lastPairMicros)}</td>
      <td>{row.advice}</td>
    </tr>
  )
}

/** `12 http1, 3 tls` */
const connectionsText = (connections: WhyRow['connections']): string =>
  Object.entries(connections)
    .filter(([name, count]) => name !== 'seen' && count > 0)
    .map(([name, count]) => `${grouped(count)} ${name}`)
    .join(', ') || '–'
