/** The service map, as a graph and as a table. A click on a node or an arrow opens the list of its pairs. */
import dagre from '@dagrejs/dagre'
import { useMemo } from 'preact/hooks'
import type { MapEdge, MapNode, ServiceMapView } from '../protocol.ts'
import { FilterBar, scopeText } from './filter-bar.tsx'
import { narrowTo } from './location.ts'
import { NoData, NoPairs } from './no-pairs.tsx'
import { useFilteredPoll } from './poll.ts'
import { counted, grouped, rate, shortDuration } from './texts.ts'

/** The most arrows that are drawn, most requests first; the table has all of them. */
const MOST_ARROWS = 60
const CHARACTER_PX = 7.2
const NODE_HEIGHT = 34
const LABEL_HEIGHT = 30

interface Point {
  x: number
  y: number
}

interface Layout {
  width: number
  height: number
  nodes: (Point & { node: MapNode; width: number })[]
  edges: { edge: MapEdge; points: Point[]; label: Point }[]
}

/** The view of the map. */
export function MapView() {
  return (
    <>
      <FilterBar />
      <ServiceMap />
    </>
  )
}

function ServiceMap() {
  const { data, failure } = useFilteredPoll<ServiceMapView>('/api/map')
  const layout = useMemo(() => (data === null ? null : layOut(data)), [data])
  if (data === null || layout === null) return <NoData failure={failure} />
  if (data.edges.length === 0) return <NoPairs />
  const labels = new Map(data.nodes.map((node) => [node.id, node]))
  const hidden = data.edges.length - layout.edges.length
  return (
    <div class="scroll map" tabIndex={-1}>
      <p class="about">
        {scopeText(data.missed)} Choose an end or an arrow to list its pairs.
        {hidden > 0 && ` ${counted(hidden, 'arrow')} with fewer requests are in the table only.`}
      </p>
      <div class="drawing">
        <Graph layout={layout} nodes={labels} />
      </div>
      <div class="wide">
        <EdgeTable view={data} nodes={labels} />
      </div>
    </div>
  )
}

const widthOf = (label: string): number => Math.max(70, label.length * CHARACTER_PX + 22)

const rateText = (edge: MapEdge): string => `${rate(edge.perSecond)}/s`
const percent = (share: number): string => `${share < 0.01 ? '<1' : Math.round(share * 100)} %`
const latencyText = (edge: MapEdge): string => `p50 ${shortDuration(Math.round(edge.p50Ms * 1000))}`
const errors = (edge: MapEdge): number => edge.clientErrors + edge.serverErrors
/** The first line at an arrow. */
const callsText = (edge: MapEdge): string =>
  errors(edge) === 0 ? rateText(edge) : `${rateText(edge)} · ${percent(errors(edge) / edge.requests)} errors`

/** The width of the text at an arrow. */
const labelWidth = (edge: MapEdge): number => Math.max(callsText(edge).length, latencyText(edge).length) * 5.8 + 8

function layOut({ nodes, edges }: ServiceMapView): Layout {
  const drawn = edges.slice(0, MOST_ARROWS)
  const used = new Set(drawn.flatMap(({ from, to }) => [from, to]))
  const graph = new dagre.graphlib.Graph({ multigraph: true })
  graph.setGraph({
    rankdir: matchMedia('(max-width: 760px)').matches ? 'TB' : 'LR',
    nodesep: 28,
    ranksep: 64,
    marginx: 12,
    marginy: 12,
  })
  graph.setDefaultEdgeLabel(() => ({}))
  const shown = nodes.filter(({ id }) => used.has(id))
  for (const { id, label } of shown) graph.setNode(id, { width: widthOf(label), height: NODE_HEIGHT })
  for (const edge of drawn) {
    graph.setEdge(edge.from, edge.to, { width: labelWidth(edge), height: LABEL_HEIGHT, labelpos: 'c' })
  }
  dagre.layout(graph)
  const size = graph.graph() as { width?: number; height?: number }
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: shown.map((node) => {
      const { x, y, width } = graph.node(node.id) as Point & { width: number }
      return { node, x, y, width }
    }),
    edges: drawn.map((edge) => {
      const { points, x, y } = graph.edge(edge.from, edge.to) as Point & { points: Point[] }
      return { edge, points, label: { x, y } }
    }),
  }
}

const both = (from: MapNode, to: MapNode): string => `${from.asClient} && ${to.asServer}`

function Graph({ layout, nodes }: { layout: Layout; nodes: ReadonlyMap<string, MapNode> }) {
  const { width, height } = layout
  const most = Math.max(1, ...layout.edges.map(({ edge }) => edge.requests))
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="group" aria-label="Service map">
      <defs>
        <marker
          id="arrow"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 0 8 4 0 8z" />
        </marker>
      </defs>
      {layout.edges.map((drawn) => (
        <Arrow key={`${drawn.edge.from} ${drawn.edge.to}`} drawn={drawn} nodes={nodes} most={most} />
      ))}
      <Labels edges={layout.edges} />
      {layout.nodes.map(({ node, x, y, width: wide }) => (
        <g
          key={node.id}
          class="node"
          {...choosable(node.label, () => narrowTo({ where: `(${node.asClient}) || (${node.asServer})` }))}
        >
          <rect x={x - wide / 2} y={y - NODE_HEIGHT / 2} width={wide} height={NODE_HEIGHT} rx="5" />
          <text x={x} y={y + 5}>
            {node.label}
          </text>
        </g>
      ))}
    </svg>
  )
}

interface ArrowProps {
  drawn: Layout['edges'][number]
  nodes: ReadonlyMap<string, MapNode>
  /** Requests of the arrow with the most. */
  most: number
}

function Arrow({ drawn: { edge, points }, nodes, most }: ArrowProps) {
  const [from, to] = [nodes.get(edge.from), nodes.get(edge.to)]
  if (from === undefined || to === undefined) return null
  const failed = errors(edge)
  const name = `${from.label} calls ${to.label}: ${counted(edge.requests, 'request')}, ${counted(failed, 'error')}`
  const path = pathOf(points)
  return (
    <g
      class={edge.serverErrors > 0 ? 'edge bad' : edge.clientErrors > 0 ? 'edge warn' : 'edge'}
      {...choosable(name, () => narrowTo({ where: both(from, to) }))}
    >
      <path class="reach" d={path} />
      <path
        class="arrow"
        d={path}
        marker-end="url(#arrow)"
        stroke-width={1 + 2.5 * (Math.log1p(edge.requests) / Math.log1p(most))}
      />
    </g>
  )
}

/** The arrows' labels, drawn after all arrows, so that no arrow crosses them. */
function Labels({ edges }: { edges: Layout['edges'] }) {
  return (
    <g class="labels">
      {edges.map(({ edge, label }) => (
        <g key={`${edge.from} ${edge.to}`}>
          <rect
            x={label.x - labelWidth(edge) / 2}
            y={label.y - LABEL_HEIGHT / 2}
            width={labelWidth(edge)}
            height={LABEL_HEIGHT}
            rx="4"
          />
          <text x={label.x} y={label.y - 3}>
            {callsText(edge)}
          </text>
          <text x={label.x} y={label.y + 10} class="second">
            {latencyText(edge)}
          </text>
        </g>
      ))}
    </g>
  )
}

/**
 * A smooth line through points, on which the labels lie: cubic Bézier curves that stay within the range of their end
 * points.
 */
function pathOf(points: readonly Point[]): string {
  const at = (index: number): Point => points[Math.max(0, Math.min(points.length - 1, index))] ?? { x: 0, y: 0 }
  const curves = points.slice(1).map((to, index) => {
    const [before, from, after] = [at(index - 1), at(index), at(index + 2)]
    const [x1, y1] = [from.x + slope(before.x, from.x, to.x) / 3, from.y + slope(before.y, from.y, to.y) / 3]
    const [x2, y2] = [to.x - slope(from.x, to.x, after.x) / 3, to.y - slope(from.y, to.y, after.y) / 3]
    return `C${x1} ${y1} ${x2} ${y2} ${to.x} ${to.y}`
  })
  return `M${at(0).x} ${at(0).y} ${curves.join(' ')}`
}

/** The slope at a point between two others: 0 at a turn, else the harmonic mean of both sides (Fritsch and Carlson, 1980). */
function slope(before: number, at: number, after: number): number {
  const [left, right] = [at - before, after - at]
  return left * right <= 0 ? 0 : (2 * left * right) / (left + right)
}

/** The attributes that make a part of a drawing a button. */
const choosable = (name: string, choose: () => void) => ({
  role: 'button' as const,
  // Lower case, because SVG attributes are case-sensitive.
  tabindex: 0,
  'aria-label': name,
  onClick: choose,
  onKeyDown: (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    event.stopPropagation()
    choose()
  },
})

function EdgeTable({ view, nodes }: { view: ServiceMapView; nodes: ReadonlyMap<string, MapNode> }) {
  return (
    <table class="data">
      <thead>
        <tr>
          <th scope="col">Client</th>
          <th scope="col">Server</th>
          {['Requests', 'Rate', '4xx', '5xx', 'p50', 'p99'].map((title) => (
            <th key={title} scope="col" class="number">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {view.edges.map((edge) => (
          <EdgeRow key={`${edge.from} ${edge.to}`} edge={edge} nodes={nodes} />
        ))}
        {view.other > 0 && (
          <tr>
            <th scope="row">other</th>
            <td>between ends beyond the limit of the table</td>
            <td class="number">{grouped(view.other)}</td>
            <td colSpan={5} />
          </tr>
        )}
      </tbody>
    </table>
  )
}

function EdgeRow({ edge, nodes }: { edge: MapEdge; nodes: ReadonlyMap<string, MapNode> }) {
  const [from, to] = [nodes.get(edge.from), nodes.get(edge.to)]
  if (from === undefined || to === undefined) return null
  return (
    <tr>
      <th scope="row">
        <button type="button" class="link" onClick={() => narrowTo({ where: both(from, to) })}>
          {from.label}
        </button>
      </th>
      <td>{to.label}</td>
      <td class="number">{grouped(edge.requests)}</td>
      <td class="number">{rateText(edge)}</td>
      <td class={edge.clientErrors > 0 ? 'number warn' : 'number'}>{grouped(edge.clientErrors)}</td>
      <td class={edge.serverErrors > 0 ? 'number bad' : 'number'}>{grouped(edge.serverErrors)}</td>
      <td class="number">{shortDuration(Math.round(edge.p50Ms * 1000))}</td>
      <td class="number">{shortDuration(Math.round(edge.p99Ms * 1000))}</td>
    </tr>
  )
}
