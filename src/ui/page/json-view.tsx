/**
 * JSON as a tree whose objects and arrays can be collapsed. Collapsed parts have no DOM elements, so their size does
 * not matter.
 */
import { useMemo, useState } from 'preact/hooks'
import { type JsonNode, parseJson } from './json-tree.ts'
import { counted } from './texts.ts'

/** Children that are shown at first; "Show more" adds five times as many. */
const STEP = 100
/** Levels that are open at first, and the most children of one that is. */
const OPEN_LEVELS = 4
const OPEN_CHILDREN = 30

/** A JSON text as a tree; renders nothing if the text is not JSON. */
export function JsonView({ text }: { text: string }) {
  const root = useMemo(() => parseJson(text), [text])
  if (root === null) return null
  return (
    <div class="json mono">
      <Node node={root} level={0} isLast />
    </div>
  )
}

interface NodeProps {
  node: JsonNode
  level: number
  isLast: boolean
}

function Node({ node, level, isLast }: NodeProps) {
  const { kind, key, text, children } = node
  const [isOpen, setOpen] = useState(level < OPEN_LEVELS && (level === 0 || children.length <= OPEN_CHILDREN))
  const label = key === null ? null : <span class="key">{key}: </span>
  const comma = isLast ? '' : ','
  if (kind !== 'object' && kind !== 'array') {
    return (
      <div class="line">
        {label}
        <span class={kind}>{text}</span>
        {comma}
      </div>
    )
  }
  const [begin, end] = kind === 'object' ? ['{', '}'] : ['[', ']']
  if (children.length === 0) return <div class="line">{[label, `${begin}${end}${comma}`]}</div>
  return (
    <div class="line">
      <button type="button" class="fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {label}
        {begin}
        {!isOpen && <span class="size"> {counted(children.length, kind === 'object' ? 'key' : 'item')} </span>}
        {!isOpen && `${end}${comma}`}
      </button>
      {isOpen && <Children nodes={children} level={level + 1} />}
      {isOpen && `${end}${comma}`}
    </div>
  )
}

function Children({ nodes, level }: { nodes: readonly JsonNode[]; level: number }) {
  const [shown, setShown] = useState(STEP)
  return (
    <div class="children">
      {nodes.slice(0, shown).map((node, index) => (
        // The index is the key: a tree never changes.
        <Node key={index} node={node} level={level} isLast={index === nodes.length - 1} />
      ))}
      {nodes.length > shown && (
        <button type="button" onClick={() => setShown(shown + STEP * 5)}>
          Show more of {counted(nodes.length, 'item')}
        </button>
      )}
    </div>
  )
}
