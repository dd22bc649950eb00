/** Why an interface could not be captured, as far as it makes a difference to whoever asked. */
import { NoInterfaceError } from '../capture/af-packet/bare-socket.ts'
import { EXIT_PRIVILEGE, errorText, InterceptorError } from '../errors.ts'
import { NetnsChangedError } from '../sys/netns.ts'

export interface OpenFailure {
  /** gone: its pod or interface is there no longer. denied: a privilege is missing. refused: anything else. */
  reason: 'gone' | 'denied' | 'refused'
  message: string
  hint: string | null
}

/** Of a path into /proc whose process has ended, and of an interface deleted under our hands. */
const GONE_CODES = ['ENOENT', 'ESRCH', 'ENODEV', 'ENETDOWN']
/** Of a path into /proc of a process we may not look at. */
const DENIED_CODES = ['EACCES', 'EPERM']

export function openFailure(error: unknown): OpenFailure {
  const message = errorText(error)
  const hint = error instanceof InterceptorError ? error.hint : null
  return { reason: reasonOf(error), message, hint }
}

function reasonOf(error: unknown): OpenFailure['reason'] {
  if (error instanceof NoInterfaceError || error instanceof NetnsChangedError) return 'gone'
  if (error instanceof InterceptorError) return error.exitCode === EXIT_PRIVILEGE ? 'denied' : 'refused'
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (GONE_CODES.includes(code)) return 'gone'
  return DENIED_CODES.includes(code) ? 'denied' : 'refused'
}
