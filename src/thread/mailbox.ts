/**
 * Messages to a thread that never turns its event loop: they wait in a port, and a word of the thread's control block says
 * that some do, so that a turn of its loop without any costs one atomic load.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Control } from './control.ts'

/** The thread's end. */
export class Mailbox<T> {
  readonly #port: MessagePort
  readonly #control: Control

  /** @param port nothing may listen to it: it would hold the thread's event loop, and take what is for us */
  constructor(port: MessagePort, control: Control) {
    this.#port = port
    this.#control = control
  }

  /** Hands over what waits, in order. */
  read(take: (message: T) => void): void {
    if (!this.#control.takeMail()) return
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      take(got.message as T)
    }
  }
}
