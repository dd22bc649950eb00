/** A page in a real Chromium, against the real server. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Browser, Page } from 'puppeteer-core'
import { type ServedUi, serveTraffic, type UiContent } from './support.ts'

export interface Opened {
  page: Page
  ui: ServedUi
  /** Errors in the page, and requests to other servers. */
  faults: string[]
}

/** Opens the page in a separate browser context, which shares nothing with other tests' pages. @param height pixels */
export async function openPage(
  t: TestContext,
  browser: Browser,
  content: UiContent,
  { hash = '#/pairs', width = 1280, height = 800 } = {},
): Promise<Opened> {
  const ui = await serveTraffic(t, content)
  const context = await browser.createBrowserContext()
  t.after(() => context.close())
  await context.overridePermissions(ui.base, ['clipboard-read', 'clipboard-sanitized-write'])
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => faults.push(message.text()))
  page.on('request', (request) => {
    if (!request.url().startsWith(ui.base) && !/^(?:data|blob):/.test(request.url())) faults.push(request.url())
  })
  await page.setViewport({ width, height })
  await page.goto(ui.url)
  if (hash !== '#/pairs') await goTo(page, hash)
  return { page, ui, faults }
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
