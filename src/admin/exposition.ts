/**
 * Prometheus's text format, version 0.0.4. Pure.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

/** The media type of the format. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** One value of a metric; `labels` are the values of the metric's labels, in its order. */
export interface Sample {
  readonly labels: readonly string[]
  readonly value: number
}

/** A metric: its name, its meaning, and how its values are read from a state. */
export interface Metric<S> {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  /** One line, without a full stop. */
  readonly help: string
  /** Label names. */
  readonly labels: readonly string[]
  readonly read: (state: S) => Iterable<Sample>
}

/** Renders all metrics with their current values. A metric without a value is left out. */
export function exposition<S>(metrics: readonly Metric<S>[], state: S): string {
  return metrics.map((metric) => family(metric, metric.read(state))).join('')
}

/** Adds up values with equal labels, because a scrape may contain a series only once. */
function family({ name, type, help, labels }: Omit<Metric<never>, 'read'>, samples: Iterable<Sample>): string {
  const series = new Map<string, number>()
  for (const sample of samples) {
    const key = labelSet(labels, sample.labels)
    series.set(key, (series.get(key) ?? 0) + sample.value)
  }
  if (series.size === 0) return ''
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`]
  for (const [key, value] of series) lines.push(`${name}${key} ${numberText(value)}`)
  return `${lines.join('\n')}\n`
}

function labelSet(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return ''
  return `{${names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',')}}`
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')

const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

/** A metric without labels. @param read null: it has no value now */
export function single<S>(
  type: Metric<S>['type'],
  name: string,
  help: string,
  read: (state: S) => number | null | undefined,
): Metric<S> {
  return {
    name,
    type,
    help,
    labels: [],
    read: (state) => {
      const value = read(state) ?? null
      return value === null ? [] : [{ labels: [], value }]
    },
  }
}

/** Prometheus's notation of a truth value. */
export const truth = (value: boolean): number => (value ? 1 : 0)
