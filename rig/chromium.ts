/** A headless Chromium: Debian's, or any other on PATH. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import puppeteer, { type Browser } from 'puppeteer-core'
import { killAtExit } from './process-tree.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** @returns the program; null: there is none in PATH */
function findChromium(): string | null {
  const folders = (process.env['PATH'] ?? '').split(':')
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path)) ?? null
}

/** Starts a browser, which ends with this process at the latest. @throws if there is none */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium()
  if (executablePath === null) throw new Error(`none of ${NAMES.join(', ')} is in PATH`)
  // Its sandbox does not work as root, and shared memory is small in containers. It loads only our own page.
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--force-color-profile=srgb']
  const browser = await puppeteer.launch({ executablePath, args })
  const child = browser.process()
  if (child !== null) killAtExit(child)
  return browser
}
