/** A page in a real Chromium, against the real server. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ConsoleMessage, HTTPRequest, Page } from 'puppeteer-core'
import { type ServedUi, serveTraffic, type UiContent } from './support.ts'

export interface Opened {
  page: Page
  ui: ServedUi
  /** Errors in the page, and requests to other servers. */
  faults: string[]
}

/**
 * Opens the page of a new server in the tab. The server's port makes it another origin, which shares no storage with other
 * tests' pages. All tests of a file use one tab, because starting Chromium's processes takes more CPU time than most tests.
 *
 * @param height pixels
 */
export async function openPage(
  t: TestContext,
  page: Page,
  content: UiContent,
  { hash = '#/pairs', width = 1280, height = 800 } = {},
): Promise<Opened> {
  // The previous test's page ends here: what it still requests or logs is no fault of this one.
  await page.goto('about:blank')
  const ui = await serveTraffic(t, content)
  await page.browserContext().overridePermissions(ui.base, ['clipboard-read', 'clipboard-sanitized-write'])
  await page.emulateMediaFeatures()
  const faults = faultsOf(t, page, ui.base)
  await page.setViewport({ width, height })
  await page.goto(ui.url)
  if (hash !== '#/pairs') await goTo(page, hash)
  return { page, ui, faults }
}

/** @returns the page's faults, collected until the test ends */
function faultsOf(t: TestContext, page: Page, base: string): string[] {
  const faults: string[] = []
  const ownError = (error: unknown): void => void faults.push(String(error))
  const ownMessage = (message: ConsoleMessage): void => void faults.push(message.text())
  const ownRequest = (request: HTTPRequest): void => {
    if (!request.url().startsWith(base) && !/^(?:data|blob):/.test(request.url())) faults.push(request.url())
  }
  page.on('pageerror', ownError).on('console', ownMessage).on('request', ownRequest)
  t.after(() => page.off('pageerror', ownError).off('console', ownMessage).off('request', ownRequest))
  return faults
}

/** Evaluates an expression in the page, given as text, because tests are compiled without browser types. */
export const evaluate = <T>(page: Page, expression: string): Promise<T> => page.evaluate(expression) as Promise<T>

/** Navigates to a place. */
export const goTo = (page: Page, hash: string): Promise<unknown> =>
  evaluate(page, `location.hash = ${JSON.stringify(hash)}`)

/** The visible text of an element; empty without one. */
export const textOf = (page: Page, selector: string): Promise<string> =>
  evaluate(page, `document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`)

/** The number of elements. */
export const countOf = async (page: Page, selector: string): Promise<number> => (await page.$$(selector)).length

const WAIT_MS = 30_000
const POLL_MS = 30

/** Waits until `holds` accepts the result of `read`. @returns the result */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = performance.now() + WAIT_MS
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    assert.ok(performance.now() < deadline, `still ${String(value)}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Waits until an element contains a text. @returns the element's text */
export const untilText = (page: Page, selector: string, pattern: RegExp): Promise<string> =>
  until(
    () => textOf(page, selector),
    (text) => pattern.test(text),
  )

/** Waits until there is this number of elements. */
export const untilCount = (page: Page, selector: string, count: number): Promise<number> =>
  until(
    () => countOf(page, selector),
    (found) => found === count,
  )
