/** Draws line charts over one axis as SVG, without anything beside them: panels one below the other. */

export interface Panel {
  title: string
  lines: readonly { name: string; values: readonly number[] }[]
}

export interface LineChart {
  xTitle: string
  /** Rising. Every line has a value for each. */
  x: readonly number[]
  panels: readonly Panel[]
}

const WIDTH = 720
const PANEL_HEIGHT = 170
const LEFT = 70
const RIGHT = 20
const TOP = 34
const BOTTOM = 26
const COLOURS = ['#1f77b4', '#d62728', '#7f7f7f']

export function lineChart({ xTitle, x, panels }: LineChart): string {
  const height = panels.length * PANEL_HEIGHT + 24
  const content = panels.map((panel, position) => panelText(panel, x, position * PANEL_HEIGHT)).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${content}${label(WIDTH / 2, height - 8, 'middle', xTitle)}</svg>
`
}

function panelText({ title, lines }: Panel, x: readonly number[], top: number): string {
  const maxX = Math.max(...x)
  const maxY = niceAbove(Math.max(...lines.flatMap(({ values }) => values)))
  const toX = (value: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * value) / maxX
  const toY = (value: number): number => top + PANEL_HEIGHT - BOTTOM - ((PANEL_HEIGHT - TOP - BOTTOM) * value) / maxY
  const grid = [0, maxY / 2, maxY].map((value) => {
    const y = toY(value).toFixed(1)
    return `<path d="M${LEFT} ${y}H${WIDTH - RIGHT}" stroke="#ddd"/>\n${label(LEFT - 6, toY(value) + 4, 'end', short(value))}`
  })
  const ticks = x.map((value) => label(toX(value), top + PANEL_HEIGHT - BOTTOM + 16, 'middle', short(value)))
  const drawn = lines.map(({ name, values }, index) => {
    const points = values.map((value, at) => `${toX(x[at]).toFixed(1)},${toY(value).toFixed(1)}`).join(' ')
    const legend = label(LEFT + 150 + index * 150, top + 20, 'start', name, COLOURS[index])
    return `<polyline points="${points}" fill="none" stroke="${COLOURS[index]}" stroke-width="2"/>\n${legend}`
  })
  return [label(LEFT, top + 20, 'start', title, '#000'), ...grid, ...ticks, ...drawn].join('')
}

const label = (x: number, y: number, anchor: string, text: string, colour = '#444'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${text}</text>\n`

/** 1, 2 or 5 times a power of ten, at or above a value; 1 for 0. */
function niceAbove(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

const short = (value: number): string =>
  value >= 1e6
    ? `${+(value / 1e6).toFixed(1)} M`
    : value >= 1000
      ? `${Math.round(value / 1000)} k`
      : String(+value.toFixed(1))
