/**
 * Messages to a thread that never runs its event loop: they wait in a port, and a word of the thread's control block
 * announces them, so that an iteration of its loop without messages costs one atomic load.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Control } from './control.ts'

/** The thread's end. */
export class Mailbox<T> {
  readonly #port: MessagePort
  readonly #control: Control

  /** @param port no listener may be attached: it would keep the event loop alive and receive the messages instead */
  constructor(port: MessagePort, control: Control) {
    this.#port = port
    this.#control = control
  }

  /** Passes the waiting messages to `handle`, in order. */
  read(handle: (message: T) => void): void {
    if (!this.#control.consumeMail()) return
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      handle(got.message as T)
    }
  }
}
