/**
 * A strict parser of Prometheus's text format, written from its specification and not from our writer: text that a
 * scraper may reject fails here. https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import assert from 'node:assert/strict'

export interface ParsedFamily {
  type: string
  help: string
  /** By the labels as sorted JSON pairs; `[]` for none. */
  samples: Map<string, ParsedSample>
}

export interface ParsedSample {
  labels: Record<string, string>
  value: number
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'

export function parseExposition(text: string): Map<string, ParsedFamily> {
  assert.ok(text.endsWith('\n'), 'the last line must end')
  const families = new Map<string, ParsedFamily>()
  let current = ''
  const help = new Map<string, string>()
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment
      if (kind === 'HELP') {
        assert.ok(!help.has(name), `second HELP of ${name}`)
        help.set(name, unescaped(rest, '\\n'))
      } else {
        assert.match(rest, /^(counter|gauge)$/)
        assert.ok(!families.has(name), `second group of ${name}`)
        families.set(name, {
          type: rest,
          help: help.get(name) ?? assert.fail(`no HELP of ${name}`),
          samples: new Map(),
        })
        current = name
      }
      continue
    }
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? assert.fail(`not a sample: ${line}`)
    assert.equal(sample[1], current, `outside of its group: ${line}`)
    const labels = parseLabels(sample[2] ?? '')
    const key = JSON.stringify(Object.entries(labels).sort())
    const { samples } = families.get(current)!
    assert.ok(!samples.has(key), `twice: ${line}`)
    samples.set(key, { labels, value: parseValue(sample[3]) })
  }
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const match = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest)
    assert.ok(match, `labels: ${rest}`)
    assert.ok(!(match[1] in labels), `label ${match[1]} twice`)
    labels[match[1]] = unescaped(match[2], '\\n"')
    rest = rest.slice(match[0].length)
  }
  return labels
}

function unescaped(text: string, known: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => {
    assert.ok(known.includes(letter), `escape \\${letter}`)
    return letter === 'n' ? '\n' : letter
  })
}

function parseValue(text: string): number {
  const special: Record<string, number> = {
    NaN: Number.NaN,
    '+Inf': Number.POSITIVE_INFINITY,
    '-Inf': Number.NEGATIVE_INFINITY,
  }
  if (text in special) return special[text]
  assert.match(text, /^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/)
  return Number(text)
}

/** The value of a series; fails if it is missing. */
export function seriesValue(
  families: Map<string, ParsedFamily>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const family = families.get(name) ?? assert.fail(`no metric ${name}`)
  const sample = family.samples.get(JSON.stringify(Object.entries(labels).sort()))
  return (sample ?? assert.fail(`no ${name}${JSON.stringify(labels)}`)).value
}
