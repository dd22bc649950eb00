/**
 * Takes the screenshots of the page in docs/images from the example capture: `npm run screenshots`. Browsers differ in fonts, so
 * no test compares them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Browser } from 'puppeteer-core'
import { launchChromium } from '../rig/chromium.ts'
import { killAtExit } from '../rig/process-tree.ts'
import { PROGRAM, ROOT } from '../rig/root.ts'

interface Picture {
  name: string
  scheme: 'light' | 'dark'
  width: number
  height: number
  /** The place in the page, and an element of it that appears last. */
  place: string
  until: string
}

const WIDE = { width: 1280, height: 720 } as const

const PICTURES: readonly Picture[] = [
  { ...WIDE, name: 'ui-exchange', scheme: 'light', place: 'pairs/41', until: '.exchange .json' },
  { ...WIDE, name: 'ui-map', scheme: 'dark', place: 'map', until: '.map svg' },
  { ...WIDE, name: 'ui-endpoints', scheme: 'light', place: 'endpoints', until: '.endpoints td' },
  { ...WIDE, name: 'ui-ledger', scheme: 'light', place: 'ledger', until: '.stage' },
  { name: 'ui-narrow', scheme: 'dark', width: 390, height: 780, place: 'pairs', until: 'tbody tr[id]' },
]

/** Starts the program. @returns the address that it prints */
async function startPage(): Promise<string> {
  const args = [PROGRAM, 'ui', '--listen', '127.0.0.1:0', 'examples/shop.pcap.gz']
  const child = killAtExit(spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] }))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return line
}

async function take(browser: Browser, address: string, picture: Picture): Promise<void> {
  const { name, scheme, width, height, place, until } = picture
  const page = await browser.newPage()
  await page.setViewport({ width, height })
  await page.emulateTimezone('UTC')
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(address)
  await page.evaluate(`location.hash = '#/${place}'`)
  await page.waitForSelector(until)
  if (place.startsWith('pairs/')) await page.waitForSelector('tbody tr[aria-selected=true]')
  await page.screenshot({ path: join(ROOT, 'docs', 'images', `${name}.png`), optimizeForSpeed: false })
  await page.close()
}

const address = await startPage()
const browser = await launchChromium()
for (const picture of PICTURES) await take(browser, address, picture)
await browser.close()
process.exit()
