/** The filter: its fields are named and work as the options of the command line. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { save } from './api.ts'
import { FILTER_NAMES, type Filter, type FilterName, go, place, queryOf } from './location.ts'
import { failure } from './pairs.ts'

const TYPED_MS = 300

interface Field {
  readonly name: FilterName
  readonly label: string
  readonly example: string
}

const FIELDS: readonly Field[] = [
  { name: 'grep', label: 'Text', example: 'in heads and bodies' },
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

export function FilterBar() {
  const { filter } = place.value
  const [draft, setDraft] = useState<Filter>(filter)
  const hasMore = MORE.some(({ name }) => (filter[name] ?? '') !== '')
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  // The address changes from elsewhere too: from the map, or by going back.
  useEffect(() => setDraft(filter), [queryOf(filter)])
  const change = (name: FilterName, value: string): void => {
    const next = { ...draft, [name]: value }
    setDraft(next)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => go({ filter: next, open: null }, { replace: true }), TYPED_MS)
  }
  const isSet = FILTER_NAMES.some((name) => (filter[name] ?? '') !== '')
  const input = (field: Field) => (
    <label key={field.name} class={`field ${field.name}`}>
      <span>{field.label}</span>
      <input
        name={field.name}
        value={draft[field.name] ?? ''}
        placeholder={field.example}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change(field.name, event.currentTarget.value)}
      />
    </label>
  )
  return (
    <search class="filter">
      <div class="fields">{FIELDS.map(input)}</div>
      <details open={hasMore}>
        <summary>More</summary>
        <div class="fields">{MORE.map(input)}</div>
      </details>
      <div class="actions">
        {isSet && (
          <button type="button" onClick={() => go({ filter: {}, open: null })}>
            Clear
          </button>
        )}
        <button type="button" onClick={() => void save(`/api/har?${queryOf(filter)}`, 'interceptor.har')}>
          Save HAR
        </button>
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
