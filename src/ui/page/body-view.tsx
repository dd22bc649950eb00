/** A body: JSON as a tree, form fields as a table, images, text, and bytes for the rest. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { bytesOf, type ExchangeMessage, mediaTypeOf } from './exchange.ts'
import { parseJson } from './json-tree.ts'
import { JsonView } from './json-view.tsx'
import { counted } from './texts.ts'

/** Image types that contain only pixels. SVG is excluded, because it can contain scripts and links. */
const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp']
/** How much is shown at first, and added by each click on "Show more". */
const TEXT_STEP = 50_000
const HEX_STEP = 4096
const HEX_COLUMNS = 16

type Form = 'JSON' | 'Fields' | 'Image' | 'Text' | 'Hex'

/** A body in the form that suits its type, or in the form chosen by the user. */
export function BodyView({ message }: { message: ExchangeMessage }) {
  const forms = useMemo(() => formsOf(message), [message])
  const [chosen, setChosen] = useState<Form | null>(null)
  if (message.body === '') return <p class="no-body">No body</p>
  const form = forms.find((one) => one === chosen) ?? forms[0] ?? 'Hex'
  return (
    <div class="body">
      <div class="forms" role="group" aria-label="Show the body as">
        {forms.map((one) => (
          <button key={one} type="button" aria-pressed={one === form} onClick={() => setChosen(one)}>
            {one}
          </button>
        ))}
        <span>
          {mediaTypeOf(message) || 'no type'}, {counted(message.bodySize, 'byte')}
          {message.decoded ? ', decoded' : ''}
        </span>
      </div>
      <Shown form={form} message={message} />
    </div>
  )
}

/** The forms that a body can be shown in, the most specific first. */
function formsOf(message: ExchangeMessage): Form[] {
  const { body, bodyEncoding } = message
  const type = mediaTypeOf(message)
  if (bodyEncoding === 'base64') return IMAGES.includes(type) ? ['Image', 'Hex'] : ['Hex']
  const looksLikeJson = /^\s*[[{]/.test(body) || /[/+]json$/.test(type)
  if (looksLikeJson && parseJson(body) !== null) return ['JSON', 'Text', 'Hex']
  if (type === 'application/x-www-form-urlencoded') return ['Fields', 'Text', 'Hex']
  return ['Text', 'Hex']
}

function Shown({ form, message }: { form: Form; message: ExchangeMessage }) {
  switch (form) {
    case 'JSON':
      return <JsonView text={message.body} />
    case 'Fields':
      return <Fields text={message.body} />
    case 'Image':
      return <Picture message={message} />
    case 'Text':
      return <Text text={message.body} />
    case 'Hex':
      return <Hex message={message} />
  }
}

function Fields({ text }: { text: string }) {
  return (
    <table class="headers">
      <tbody>
        {[...new URLSearchParams(text)].map(([name, value], index) => (
          // The index is the key: names may repeat, and the order never changes.
          <tr key={index}>
            <th scope="row">{name}</th>
            <td>{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Picture({ message }: { message: ExchangeMessage }) {
  const [url, setUrl] = useState('')
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytesOf(message)], { type: mediaTypeOf(message) }))
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [message])
  return url === '' ? null : <img class="picture" src={url} alt={`Body of type ${mediaTypeOf(message)}`} />
}

function Text({ text }: { text: string }) {
  const [length, setLength] = useState(TEXT_STEP)
  return (
    <>
      <pre class="text">{text.slice(0, length)}</pre>
      {text.length > length && (
        <button type="button" onClick={() => setLength(length + 10 * TEXT_STEP)}>
          Show more of {counted(text.length, 'character')}
        </button>
      )}
    </>
  )
}

function Hex({ message }: { message: ExchangeMessage }) {
  const bytes = useMemo(() => bytesOf(message), [message])
  const [length, setLength] = useState(HEX_STEP)
  return (
    <>
      <pre class="text">{hexText(bytes.subarray(0, length))}</pre>
      {bytes.length > length && (
        <button type="button" onClick={() => setLength(length * 4)}>
          Show more of {counted(bytes.length, 'byte')}
        </button>
      )}
    </>
  )
}

/** As hexdump -C: offset, bytes, and the characters of ASCII. */
function hexText(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += HEX_COLUMNS) {
    const part = [...bytes.subarray(at, at + HEX_COLUMNS)]
    const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(HEX_COLUMNS * 3)} ${text}`)
  }
  return lines.join('\n')
}
