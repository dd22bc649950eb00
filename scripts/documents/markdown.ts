/** Fenced blocks and code spans of Markdown pages. */

/** A fenced block. */
export interface Block {
  /** The page's path from the root. */
  page: string
  /** 1-based number of the line after the opening fence. */
  line: number
  /** The first word after the fence; empty without one. */
  language: string
  /**
   * Why the block is not run: the rest of a comment on the line before the fence, `<!-- not run: it needs a cluster -->`.
   * null: it is run.
   */
  notRun: string | null
  /** Spaces in front of the fence. */
  indent: string
  /** Without the fences and the indentation. */
  lines: string[]
}

const FENCE = /^( *)(```+)(.*)$/
const NOT_RUN = /^<!-- not run: (.+) -->$/

/** @returns the fenced blocks of a page, in order @throws when one has no end */
export function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const open = FENCE.exec(lines[at])
    if (open === null) continue
    const end = lines.findIndex((line, index) => index > at && line.trim() === open[2])
    if (end === -1) throw new Error(`${page}:${at + 1}: the block has no end`)
    const comment = NOT_RUN.exec(at > 0 ? lines[at - 1].trim() : '')
    const indent = open[1]
    blocks.push({
      page,
      line: at + 2,
      language: open[3].trim().split(/\s/)[0],
      notRun: comment?.[1] ?? null,
      indent,
      lines: lines.slice(at + 1, end).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)),
    })
    at = end
  }
  return blocks
}

/** The code spans of a page outside its blocks, with the number of their line. */
export function spansOf(text: string): { line: number; code: string }[] {
  const spans: { line: number; code: string }[] = []
  let fence: string | null = null
  for (const [index, line] of text.split('\n').entries()) {
    const mark = FENCE.exec(line)
    if (fence !== null) {
      if (line.trim() === fence) fence = null
    } else if (mark !== null) fence = mark[2]
    else for (const [, code] of line.matchAll(/(?<!`)`([^`]+)`(?!`)/g)) spans.push({ line: index + 1, code })
  }
  return spans
}
