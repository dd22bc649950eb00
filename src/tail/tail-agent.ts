/** Prints the pairs of a running agent as it ships them. Runs on the main thread, without workers. */
import type { TapClient } from '../tap/client.ts'
import { type Printed, Printer, type PrinterOptions } from './printer.ts'

export interface TailAgentOptions extends PrinterOptions {
  /** Called with the sum of pairs that were not shown so far, whenever it grows and the format cannot express it. */
  onNotShown: (pairs: number) => void
}

/**
 * Prints until the agent closes the connection, the limit, the abort, or until the reader of the output closes it.
 *
 * @throws InterceptorError when the output cannot be written, or when what arrives does not come from an agent
 */
export async function tailAgent(client: TapClient, options: TailAgentOptions): Promise<Printed> {
  const { format, onNotShown, signal } = options
  const printer = new Printer(options)
  let sum = 0
  printer.begin()
  for await (const { pairs, notShown } of client.batches(signal)) {
    sum += notShown
    if (notShown > 0 && format.notShown === undefined) onNotShown(sum)
    if (notShown > 0) format.notShown?.(notShown)
    await printer.print(pairs)
    if (printer.done) break
  }
  await printer.end()
  return printer.result
}
