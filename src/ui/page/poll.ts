/** Data that a view polls while it is shown. */
import { useEffect, useState } from 'preact/hooks'
import { RequestFailure, requestJson } from './api.ts'
import { place, queryOf } from './location.ts'
import { state } from './pairs.ts'

const POLL_MS = 2000

export interface Polled<T> {
  data: T | null
  failure: RequestFailure | null
}

/** Requests a path every two seconds, and once more after the source has ended. */
export function usePoll<T>(path: string): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ data: null, failure: null })
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const poll = async (): Promise<void> => {
      const ended = state.peek()?.ended === true
      try {
        const data = await requestJson<T>(path, abort.signal)
        setPolled({ data, failure: null })
      } catch (error) {
        if (abort.signal.aborted) return
        if (error instanceof RequestFailure) setPolled((before) => ({ ...before, failure: error }))
      }
      if (!ended && !abort.signal.aborted) timer = setTimeout(poll, POLL_MS)
    }
    void poll()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [path])
  return polled
}

/** As `usePoll`, with the filter of the address as parameters. @param path may have parameters */
export function useFilteredPoll<T>(path: string): Polled<T> {
  const query = queryOf(place.value.filter)
  return usePoll(query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`)
}
