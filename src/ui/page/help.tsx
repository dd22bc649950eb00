/** The dialog that lists the keys. */

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'

const isOpen = signal(false)

/** Opens the dialog, or closes it. */
export function toggleHelp(): void {
  isOpen.value = !isOpen.value
}

const KEYS: readonly (readonly [string, string])[] = [
  ['1 … 5', 'show a view'],
  ['/', 'edit the filter'],
  ['j, k or ↓, ↑', 'next and previous pair'],
  ['g, G', 'first and last pair'],
  ['Enter', 'open the pair'],
  ['Esc', 'close the pair, or leave the filter'],
  ['f', 'follow new pairs'],
  ['c', 'copy the open pair as a curl command'],
  ['?', 'show these keys'],
]

/** The dialog; hidden until it is opened. */
export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (isOpen.value) dialog.current?.showModal()
    else dialog.current?.close()
  }, [isOpen.value])
  return (
    <dialog ref={dialog} aria-label="Keys" onClose={() => (isOpen.value = false)}>
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  )
}
