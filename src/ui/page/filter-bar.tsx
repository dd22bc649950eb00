/** The filter: its fields have the names and the effect of the options of the command line (docs/select.md). */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Filter, type FilterName, go, place, queryOf } from './location.ts'
import { failure } from './pairs.ts'
import { SaveButton } from './save-button.tsx'
import { counted } from './texts.ts'

const TYPED_MS = 300

interface Field {
  readonly name: FilterName
  readonly label: string
  readonly example: string
}

const FIELDS: readonly Field[] = [
  { name: 'grep', label: 'Text', example: 'anywhere' },
  { name: 'method', label: 'Method', example: 'POST' },
  { name: 'status', label: 'Status', example: '404, 5xx' },
  { name: 'host', label: 'Host', example: 'api*' },
  { name: 'path', label: 'Path', example: '/api/**' },
]

const MORE: readonly Field[] = [
  { name: 'namespace', label: 'Namespace', example: 'shop' },
  { name: 'workload', label: 'Workload', example: 'Deployment/api' },
  { name: 'pod', label: 'Pod', example: 'api-*' },
  { name: 'minLatency', label: 'Slower than', example: '200ms' },
  { name: 'where', label: 'Where (CEL)', example: 'response.status >= 500' },
]

/** The fields of the filter, and its error. */
export function FilterBar() {
  const { filter } = place.value
  const { draft, change } = useDraft(filter)
  const isSet = (fields: readonly Field[]): boolean => fields.some(({ name }) => (filter[name] ?? '') !== '')
  const inputs = (fields: readonly Field[]) => (
    <div class="fields">
      {fields.map((field) => (
        <FieldInput key={field.name} field={field} value={draft[field.name] ?? ''} onChange={change} />
      ))}
    </div>
  )
  return (
    <search class="filter" onKeyDown={onFilterKey}>
      {inputs(FIELDS)}
      <details open={isSet(MORE)}>
        <summary>More</summary>
        {inputs(MORE)}
      </details>
      <div class="actions">
        {isSet([...FIELDS, ...MORE]) && (
          <button type="button" onClick={() => go({ filter: {}, open: null })}>
            Clear
          </button>
        )}
        <SaveButton label="Save HAR" path={`/api/har?${queryOf(filter)}`} name="interceptor.har" />
      </div>
      {failure.value?.status === 400 && (
        <div class="fault" role="alert">
          <p>{failure.value.message}</p>
          {failure.value.hint !== null && <pre>{failure.value.hint}</pre>}
        </div>
      )}
    </search>
  )
}

/** Escape moves the focus from the filter to the list. */
function onFilterKey({ key }: KeyboardEvent): void {
  if (key === 'Escape') document.querySelector<HTMLElement>('[role=grid], .scroll')?.focus()
}

/** Focuses the filter's first field. @returns whether the view has a filter */
export function focusFilter(): boolean {
  const input = document.querySelector<HTMLInputElement>('.filter input')
  input?.focus()
  return input !== null
}

/** The sentence on which pairs a view counts. @param missed pairs that had left the store before the filter could be evaluated on them */
export function scopeText(missed: number): string {
  if (queryOf(place.value.filter) === '') return 'All pairs so far.'
  const older =
    missed === 0 ? '' : ` among those held since it was set; ${counted(missed, 'pair')} had been dropped before`
  return `The pairs that match the filter${older}.`
}

/** The typed text, which becomes the filter once typing pauses. */
function useDraft(filter: Filter): { draft: Filter; change: (name: FilterName, value: string) => void } {
  const [draft, setDraft] = useState<Filter>(filter)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  // The address can also change without typing: by a click on the map, or by going back.
  useEffect(() => setDraft(filter), [queryOf(filter)])
  const change = (name: FilterName, value: string): void => {
    const next = { ...draft, [name]: value }
    setDraft(next)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => go({ filter: next, open: null }, { replace: true }), TYPED_MS)
  }
  return { draft, change }
}

interface FieldInputProps {
  field: Field
  value: string
  onChange: (name: FilterName, value: string) => void
}

function FieldInput({ field: { name, label, example }, value, onChange }: FieldInputProps) {
  return (
    <label class={`field ${name}`}>
      <span>{label}</span>
      <input
        name={name}
        value={value}
        placeholder={example}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => onChange(name, event.currentTarget.value)}
      />
    </label>
  )
}
