/** A button that saves a response of the server as a file. */
import { useState } from 'preact/hooks'
import { RequestFailure, save } from './api.ts'

interface SaveButtonProps {
  label: string
  path: string
  /** The name of the file. */
  name: string
}

/** The button, followed by the error if saving failed. */
export function SaveButton({ label, path, name }: SaveButtonProps) {
  const [failure, setFailure] = useState<string | null>(null)
  const onClick = async (): Promise<void> => {
    setFailure(null)
    try {
      await save(path, name)
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error
      setFailure(error.message)
    }
  }
  return (
    <>
      <button type="button" onClick={() => void onClick()}>
        {label}
      </button>
      {failure !== null && (
        <span class="bad" role="alert">
          {failure}
        </span>
      )}
    </>
  )
}
