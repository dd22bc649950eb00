/** Reads golden transcripts; cases/README.md describes them. */
import { readFileSync, writeFileSync } from 'node:fs'

export type Step =
  | { act: 'send'; side: 'client' | 'server'; bytes: Uint8Array }
  | { act: 'close' | 'reset'; side: 'client' | 'server' }

export interface Case {
  title: string
  steps: Step[]
  expected: string
  /**
   * How the outcome depends on segmentation: not at all; it does, and the case runs unsegmented only; or other
   * segmentations emit the same pairs or fewer.
   */
  chunks: 'any' | 'whole' | 'fewer'
}

const FENCE = /^```(\w.*)\n([\s\S]*?)^```$/gm

export function readCases(path: string): Case[] {
  return sections(readFileSync(path, 'utf8')).map((text) => {
    const blocks = [...text.matchAll(FENCE)].map(([, info = '', body = '']) => ({ info: info.trim(), body }))
    return {
      title: text.slice(0, text.indexOf('\n')).trim(),
      steps: blocks.flatMap(({ info, body }) => toStep(info, body)),
      expected: blocks.find(({ info }) => info === 'expect')?.body ?? '',
      chunks: text.includes('\nchunks: whole\n') ? 'whole' : text.includes('\nchunks: fewer\n') ? 'fewer' : 'any',
    }
  })
}

/** Rewrites the `expect` blocks, adding those that are missing. */
export function writeExpectations(path: string, outcomes: ReadonlyMap<string, string>): void {
  const [head = '', ...rest] = readFileSync(path, 'utf8').split(/^## /m)
  const updated = rest.map((text) => {
    const outcome = outcomes.get(text.slice(0, text.indexOf('\n')).trim()) ?? ''
    const bare = text.replace(/^```expect\n[\s\S]*?^```$/m, '').trimEnd()
    return `## ${bare}\n\n\`\`\`expect\n${outcome}\`\`\`\n`
  })
  writeFileSync(path, `${head}${updated.join('\n')}`)
}

const sections = (text: string): string[] => text.split(/^## /m).slice(1)

function toStep(info: string, body: string): Step[] {
  const [first, side] = info.split(' ')
  if (first === 'client' || first === 'server') return [{ act: 'send', side: first, bytes: wireBytes(body) }]
  if ((first === 'close' || first === 'reset') && (side === 'client' || side === 'server'))
    return [{ act: first, side }]
  if (first === 'expect') return []
  throw new Error(`unknown block: ${info}`)
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\' }

/** The bytes of a block. */
function wireBytes(body: string): Uint8Array {
  const wire = body
    .replaceAll('\n', '\r\n')
    .replace(/\\(\r\n|[nrt\\]|x([0-9a-f]{2})|\{([^}]*)\*(\d+)\})/gi, (_, what: string, hex, text, count) => {
      if (what === '\r\n') return ''
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (text !== undefined) return text.repeat(Number(count))
      return ESCAPES[what] ?? ''
    })
  return Buffer.from(wire, 'latin1')
}
