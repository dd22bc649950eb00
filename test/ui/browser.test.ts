/** The page in a real Chromium, against the real server. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'puppeteer-core'
import { launchChromium } from '../../rig/chromium.ts'
import { needs } from '../../rig/needs.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import type { TargetsView } from '../../src/ui/protocol.ts'
import { samplePair } from '../pair/samples.ts'
import { countOf, evaluate, goTo, openPage, textOf, until, untilCount, untilText } from './browser-page.ts'
import { CONTRAST, CONTROLS, FOCUSED } from './page-checks.ts'
import { PAGE, type UiContent } from './support.ts'

const skip = needs('chromium')
let browser: Browser
let tab: Page
before(async () => {
  if (skip !== false) return
  browser = await launchChromium()
  tab = await browser.newPage()
})
after(() => browser?.close())

const open = (t: TestContext, content: UiContent, hash = '#/pairs', width = 1280, height = 800) =>
  openPage(t, tab, content, { hash, width, height })

/** A PNG of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

const withBody = (type: string, body: string | Uint8Array, target = '/'): Pair => {
  const bytes = Buffer.from(body)
  const headers: Header[] = [['Content-Type', type]]
  return samplePair({ request: { target }, response: { headers, body: bytes, bodySize: bytes.length } })
}

const statuses = [200, 404, 500]
const manyPairs = (count: number): Pair[] =>
  Array.from({ length: count }, (_, number) =>
    samplePair({
      request: { target: `/items/${number}`, method: number % 2 === 0 ? 'GET' : 'POST' },
      response: { status: statuses[number % 3] ?? 200 },
    }),
  )

test('page: lists pairs, and a filter narrows them', { skip }, async (t) => {
  const { page, faults } = await open(t, { pairs: manyPairs(30) })
  await untilText(page, 'tbody', /\/items\/20/)
  assert.match(await textOf(page, '.state'), /ended\s+30 pairs/)
  await page.click('summary')
  await page.type('[name=where]', 'response.status >= 500 && request.method == "GET"')
  await untilCount(page, 'tbody tr[id]', 5)
  assert.match(page.url(), /where=response\.status/)
  assert.deepEqual(faults, [])
})

test('page: an invalid filter is reported with its column, and the list returns once it is valid', {
  skip,
}, async (t) => {
  const { page } = await open(t, { pairs: manyPairs(3) }, '#/pairs?where=response.stats')
  const fault = await untilText(page, '.fault', /column/)
  assert.match(fault, /column 10: .*did you mean response\.status\?/)
  assert.match(fault, / {9}\^/)
  await page.click('.actions button')
  await untilText(page, 'tbody', /\/items\/2/)
})

test('page: an exchange can be read with the keyboard alone', { skip }, async (t) => {
  const { page, faults } = await open(t, { pairs: manyPairs(30) })
  await untilText(page, 'tbody', /\/items\/5/)
  for (const key of ['j', 'j', 'ArrowDown', 'k'] as const) await page.keyboard.press(key)
  assert.match(await textOf(page, 'tr[aria-selected=true]'), /\/items\/1$|\/items\/1\s/)
  await page.keyboard.press('Enter')
  assert.match(await untilText(page, '.exchange', /Response/), /POST \/items\/1/)
  await page.keyboard.press('j')
  await untilText(page, '.exchange', /GET \/items\/2/)
  await page.keyboard.press('Escape')
  await untilCount(page, '.exchange', 0)
  assert.equal(await evaluate(page, "document.activeElement?.getAttribute('role')"), 'grid')
  await page.keyboard.press('/')
  assert.equal(await evaluate(page, "document.activeElement?.getAttribute('name')"), 'grep')
  await page.keyboard.press('Escape')
  await page.keyboard.press('G')
  await untilText(page, 'tr[aria-selected=true]', /\/items\/29/)
  await page.keyboard.press('3')
  await untilText(page, 'thead', /Route and server/)
  await page.keyboard.press('?')
  assert.match(await untilText(page, 'dialog', /curl/), /follow new pairs/)
  assert.deepEqual(faults, [])
})

test('page: an exchange shows heads, endpoints, capture point and timing, and can be copied as curl', {
  skip,
}, async (t) => {
  const { page, ui } = await open(t, { pairs: [samplePair()] }, '#/pairs/0')
  const text = await untilText(page, '.exchange', /"ok"/)
  for (const part of [
    'POST /users?id=1',
    '200 OK',
    'Content-Type',
    '10.0.0.5:51234',
    '10.0.0.9:8080',
    'eth0 on n1',
    '544µs',
  ]) {
    assert.ok(text.includes(part), `${part} is not in ${text}`)
  }
  await page.keyboard.press('c')
  await untilText(page, '.note', /copied/)
  const copied = await evaluate<string>(page, 'navigator.clipboard.readText()')
  assert.match(copied, /curl 'http:\/\/api\/users\?id=1'[\s\S]*--data-raw '\{"a":1\}'/)
  assert.equal(ui.lines.length, 0)
})

test('page: shows JSON as a collapsible tree, forms as a table, images, and other bytes in hex', {
  skip,
}, async (t) => {
  const bodies = [
    withBody('application/json', JSON.stringify({ user: { id: 7, tags: ['a', 'b'] }, big: 1 })),
    withBody('application/x-www-form-urlencoded', 'name=J+D&note=%3Cb%3E'),
    withBody('image/png', PNG),
    withBody('application/octet-stream', Buffer.from([0, 255, 65, 66])),
    withBody('image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script>hit = 1</script></svg>'),
  ]
  const { page } = await open(t, { pairs: bodies }, '#/pairs/0')
  const show = (number: number): Promise<unknown> => goTo(page, `#/pairs/${number}`)
  const response = '[aria-label=Response] .body'
  assert.match(await untilText(page, response, /"id": 7/), /"tags": \[/)
  await page.click(`${response} .json .children .fold`)
  assert.match(await untilText(page, response, /2 keys/), /"user": \{ 2 keys \}/)
  await show(1)
  assert.match(await untilText(page, response, /J D/), /note\s+<b>/)
  await show(2)
  const width = (): Promise<number> => evaluate(page, "document.querySelector('.picture')?.naturalWidth")
  await until(width, (found) => found === 1)
  await show(3)
  await untilText(page, response, /00000000 {2}00 ff 41 42 .*\.\.AB/)
  await show(4)
  await untilText(page, response, /<script>hit = 1<\/script>/)
  assert.equal(await countOf(page, 'img'), 0)
})

test('page: HTML in heads and bodies is shown as text, and nothing of it runs or loads', { skip }, async (t) => {
  const html = '<img src="http://192.0.2.1/x" onerror="hit=1"><script>hit=1</script>'
  const pairs = ['text/html', 'application/json', 'application/x-www-form-urlencoded'].map((type) =>
    samplePair({
      id: html,
      request: {
        method: 'GET',
        target: `/${html}`,
        headers: [
          ['Host', html],
          [html, html],
        ],
      },
      response: {
        reason: html,
        headers: [
          ['Content-Type', type],
          ['X', html],
        ],
        body: Buffer.from(`{"a":${JSON.stringify(html)}}`),
      },
    }),
  )
  const { page, faults } = await open(t, { pairs })
  for (const hash of [
    '#/pairs/0',
    '#/pairs/1',
    '#/pairs/2',
    '#/map',
    '#/endpoints',
    `#/pairs?grep=${encodeURIComponent(html)}`,
  ]) {
    await goTo(page, hash)
    await untilText(page, '#view', /<script>/)
  }
  const state = {
    hit: await evaluate(page, "'hit' in globalThis"),
    elements: await countOf(page, '#page img, #page script, #page iframe'),
  }
  assert.deepEqual(state, { hit: false, elements: 0 })
  assert.deepEqual(faults, [])
})

test('page: shows large, deep and non-UTF-8 bodies in part', { skip }, async (t) => {
  const deep = '['.repeat(500_000) + ']'.repeat(500_000)
  const pairs = [
    withBody('application/json', deep),
    withBody('application/json', JSON.stringify(Array.from({ length: 100_000 }, (_, number) => number))),
    withBody('text/plain', Buffer.alloc(1_000_000, 0xff)),
    withBody('text/plain', '\u001b[2J\u0007\u202e'.repeat(100_000)),
  ]
  const { page, faults } = await open(t, { pairs }, '#/pairs/0')
  for (const [number, pattern] of [/\[ 1 item \]/, /100,000 items/, /ff ff ff/, /Show more of/].entries()) {
    await goTo(page, `#/pairs/${number}`)
    await untilText(page, '[aria-label=Response] .body', pattern)
    assert.ok((await countOf(page, '*')) < 3000)
  }
  assert.deepEqual(faults, [])
})

test('page: map and endpoints link to their pairs', { skip }, async (t) => {
  const other = { address: '10.0.0.7', port: 80, pod: null }
  const pairs = [
    ...manyPairs(6),
    samplePair({ server: other, request: { target: '/else', headers: [['Host', 'else.test']] } }),
  ]
  const { page } = await open(t, { pairs }, '#/map')
  await untilText(page, '.data', /else\.test/)
  assert.deepEqual([await countOf(page, '.node'), await countOf(page, '.edge')], [3, 2])
  await evaluate(page, `document.querySelector('.edge[aria-label*="else.test"]').focus()`)
  await page.keyboard.press('Enter')
  await untilCount(page, 'tbody tr[id]', 1)
  assert.match(await textOf(page, 'tbody'), /\/else/)
  await goTo(page, '#/endpoints')
  assert.match(await untilText(page, '.data', /items/), /GET \/items\/\{id\} api/)
  assert.ok((await countOf(page, '.spark rect')) >= 3)
  await page.select('select', 'status')
  await untilText(page, '.data', /404/)
})

test('page: the filter narrows the map and the endpoints, and a click narrows further', { skip }, async (t) => {
  const other = { address: '10.0.0.7', port: 80, pod: null }
  const elsewhere = (status: number) =>
    samplePair({ server: other, request: { headers: [['Host', 'else.test']] }, response: { status } })
  const { page, faults } = await open(t, { pairs: [...manyPairs(30), elsewhere(200), elsewhere(500)] }, '#/map')
  await untilText(page, '.data', /30[\s\S]*else\.test\s+2/)
  await page.keyboard.press('/')
  assert.equal(await evaluate(page, "document.activeElement?.getAttribute('name')"), 'grep')
  await page.click('summary')
  await page.type('[name=where]', 'response.status >= 500')
  await untilText(page, '.data', /10[\s\S]*else\.test\s+1/)
  assert.match(await textOf(page, '.about'), /^The pairs that match the filter\./)
  await page.keyboard.press('Escape')
  await page.keyboard.press('3')
  await untilText(page, '.data', /items\/\{id\} api[\s\S]*else\.test/)
  await page.select('select', 'status')
  assert.doesNotMatch(await untilText(page, '.data', /500\s+11/), /200|404/)
  await page.keyboard.press('2')
  await untilText(page, '.data', /else\.test/)
  await evaluate(page, `document.querySelector('.edge[aria-label*="else.test"]').focus()`)
  await page.keyboard.press('Enter')
  await untilCount(page, 'tbody tr[id]', 1)
  assert.match(
    await evaluate(page, "document.querySelector('[name=where]').value"),
    /^\(response\.status >= 500\) && \(/,
  )
  await goTo(page, '#/map?where=response.stats')
  await untilText(page, '.fault', /did you mean response\.status/)
  assert.deepEqual(
    faults.filter((fault) => !fault.includes('status of 400')),
    [],
  )
})

test('page: the ledger view explains losses, and reports a source without a ledger', { skip }, async (t) => {
  const ledger = { frames: { seen: 10, consumed: 9, skipped: { nonTcp: 1 } } }
  const { page } = await open(t, { ledger }, '#/ledger')
  assert.match(await untilText(page, '#view', /Frames/), /frames\.skipped\.nonTcp\s+not IP, or IP but not TCP/)
  const link = await page.$eval('.losses a', (element) => element.getAttribute('href'))
  assert.match(link ?? '', /docs\/ledger\.md#frames$/)
  await untilText((await open(t, {}, '#/ledger')).page, '#view', /no ledger/)
})

test('page: the view of pods lists traffic and reasons for each pod, or reports that the source has none', {
  skip,
}, async (t) => {
  const { page } = await open(
    t,
    { kind: 'live', targets: { of: 'interfaces', rows: [TARGET_ROW], leftOut: 0 } },
    '#/pods',
  )
  assert.match(
    await untilText(page, '.data', /eth0/),
    /3 TLS to api\.example\.com[\s\S]*3: status 2, path 1\s+1: gap 1[\s\S]*plaintext is not on eth0/,
  )
  await untilText((await open(t, {}, '#/pods')).page, '#view', /interceptor pods --traffic/)
})

test('page: with a wrong token, shows only how to get the right one', { skip }, async (t) => {
  const { page, ui } = await open(t, { pairs: manyPairs(3) })
  await untilText(page, 'tbody', /\/items/)
  await page.goto('about:blank')
  await page.goto(`${ui.base}/#token=wrong`)
  const text = await untilText(page, 'body', /token/)
  assert.match(text, /The token is missing or wrong/)
  assert.doesNotMatch(text, /items/)
})

test('page: renders few elements for 20,000 pairs and 10,000 routes', { skip }, async (t) => {
  const pairs = Array.from({ length: 10_000 }, (_, number) =>
    samplePair({ request: { target: `/route-${number}-x/a` } }),
  )
  const { page } = await open(t, { pairs: [...pairs.slice(0, 1000), ...pairs, ...pairs] })
  await untilText(page, '.state', /20,000 held/)
  // The list arrives in batches.
  const atEnd = async (): Promise<string> => {
    await page.keyboard.press('G')
    return textOf(page, 'tr[aria-selected=true]')
  }
  await until(atEnd, (text) => text.includes('route-9999-x'))
  assert.ok((await countOf(page, 'tbody tr')) < 100)
  await goTo(page, '#/endpoints')
  await untilText(page, '.about', /1,000 rows/)
  assert.equal(await countOf(page, '.data tbody tr'), 200)
})

test('page: follows new pairs until one is selected', { skip }, async (t) => {
  const { page, ui } = await open(t, { kind: 'live', pairs: manyPairs(100) })
  await untilText(page, 'tbody', /\/items\/99\s/)
  const { packPair } = await import('../../src/pair/unpack.ts')
  ui.traffic.add(packPair(samplePair({ request: { target: '/newest' } })))
  await untilText(page, 'tbody', /\/newest/)
  await page.keyboard.press('g')
  await untilText(page, 'tbody', /\/items\/0\s/)
  assert.equal(await page.$eval('.follow', (button) => button.getAttribute('aria-pressed')), 'false')
})

test('page: keeps its list when the program ends, and reports the end', { skip }, async (t) => {
  const { page, ui } = await open(t, { pairs: manyPairs(30) })
  await untilText(page, 'tbody', /\/items\/5/)
  await ui.close()
  await untilText(page, '.state', /interceptor (?:has ended|does not respond)/)
  assert.match(await textOf(page, 'tbody'), /\/items\/5/)
})

/** Traffic of an interface. */
const TARGET_ROW = {
  name: 'eth0',
  interfaces: ['eth0'],
  frames: 12,
  connections: { seen: 3, tls: 3 },
  serverNames: { 'api.example.com': 3 },
  protocols: {},
  requests: 3,
  kept: 0,
  filtered: { status: 2, path: 1 },
  lost: { gap: 1 },
  lastPairMicros: null,
  advice: 'plaintext is not on eth0',
}

const ALL_VIEWS = ['pairs', 'pairs/1', 'map', 'endpoints', 'ledger', 'pods', 'pairs?where=response.stats']
const LOADED = /\/items|calls|requests|Frames|agent|column/i
const LEDGER = { frames: { seen: 10, consumed: 9, skipped: { nonTcp: 1 } } }

/** 320 by 200 pixels is a window of 1280 by 800 at 400 % zoom (WCAG 2.2, 1.4.10). */
for (const [width, height] of [
  [1280, 800],
  [390, 780],
  [320, 200],
] as const) {
  test(`page: every view fits a window of ${width} by ${height} pixels`, { skip }, async (t) => {
    const { page } = await open(t, { pairs: manyPairs(50), ledger: LEDGER }, '#/pairs', width, height)
    await untilText(page, 'tbody', /\/items/)
    const rows = await evaluate<number>(page, `document.querySelector('.pair-list').clientHeight`)
    assert.ok(rows >= 96, `the list has ${rows} pixels`)
    const cells = `[...document.querySelectorAll('td.status, td.method')]`
    assert.equal(await evaluate(page, `${cells}.filter((td) => td.scrollWidth > td.clientWidth).length`), 0)
    for (const view of ALL_VIEWS) {
      await goTo(page, `#/${view}`)
      await untilText(page, '#view', LOADED)
      const wide = await evaluate<number>(page, 'document.documentElement.scrollWidth - innerWidth')
      assert.ok(wide <= 0, `${view} is ${wide} pixels wider`)
    }
  })
}

for (const scheme of ['light', 'dark']) {
  test(`page: every text in ${scheme} has the contrast of WCAG AA`, { skip }, async (t) => {
    const { page } = await open(t, { kind: 'live', pairs: manyPairs(50), ledger: LEDGER })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    for (const view of ALL_VIEWS) {
      await goTo(page, `#/${view}`)
      await untilText(page, '#view', LOADED)
      assert.deepEqual(await evaluate(page, CONTRAST), [], view)
    }
    await page.keyboard.press('?')
    await untilText(page, 'dialog', /curl/)
    assert.deepEqual(await evaluate(page, CONTRAST), [], 'keys')
  })

  test(`page: colours in ${scheme} that overlap in some state have the contrast of WCAG AA`, {
    skip,
  }, async (t) => {
    const { page } = await open(t, {})
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    const names = 'bg panel hover chosen text muted accent ok warn bad edge fill-request fill-wait fill-response'.split(
      ' ',
    )
    const colours = new Map<string, string>()
    for (const name of names) {
      const value = `getComputedStyle(document.documentElement).getPropertyValue('--${name}').trim()`
      colours.set(name, await evaluate(page, value))
    }
    const check = (fronts: string, backs: string, least: number): void => {
      for (const front of fronts.split(' ')) {
        for (const back of backs.split(' ')) {
          const ratio = contrast(colours.get(front) ?? '', colours.get(back) ?? '')
          assert.ok(ratio >= least, `${front} on ${back}: ${ratio.toFixed(2)}`)
        }
      }
    }
    check('text muted accent ok warn bad', 'bg panel hover chosen', 4.5)
    check('edge fill-request fill-wait fill-response', 'bg panel', 3)
  })
}

/** WCAG 2.2, contrast ratio of two colours `#rrggbb`. */
function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [a, b].map(luminance).sort((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\da-f]{2}/gi) ?? []).map((hex) => {
    const value = Number.parseInt(hex, 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

test('page: every control can be focused with the keyboard, and the focus is visible', { skip }, async (t) => {
  const targets: TargetsView = { of: 'pods', rows: [TARGET_ROW], leftOut: 0 }
  const { page } = await open(t, { kind: 'live', pairs: manyPairs(6), ledger: LEDGER, targets })
  await untilText(page, 'tbody', /\/items/)
  for (const view of ALL_VIEWS) {
    await goTo(page, `#/${view}`)
    await untilText(page, '#view', LOADED)
    await evaluate(page, 'globalThis.stops = undefined; document.activeElement?.blur()')
    const controls = await evaluate<number>(page, CONTROLS)
    const reached = new Set<number>()
    for (let presses = 0; presses < controls + 3; presses += 1) {
      await page.keyboard.press('Tab')
      const stop = await evaluate<number>(page, FOCUSED)
      assert.notEqual(
        stop,
        -2,
        `${view}: ${await evaluate<string>(page, 'document.activeElement.outerHTML.slice(0, 99)')}`,
      )
      reached.add(stop)
    }
    reached.delete(-1)
    assert.ok(reached.size >= controls, `${view}: ${reached.size} of ${controls}`)
  }
})

test('page: has no animations with prefers-reduced-motion', { skip }, async (t) => {
  const { page } = await open(t, { kind: 'live', pairs: manyPairs(3) })
  await untilText(page, '.state', /\/s/)
  const moving = () => evaluate<number>(page, 'document.getAnimations().length')
  await until(moving, (count) => count === 1)
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
  await until(moving, (count) => count === 0)
})

test('page: its files have at most 250 KB gzipped, and name the packages that they contain', () => {
  const files = ['index.html', 'page.js', 'page.css', 'licenses.txt']
  const bytes = files.reduce((sum, name) => sum + gzipSync(readFileSync(join(PAGE, name))).length, 0)
  assert.ok(bytes <= 250_000, `${bytes} bytes`)
  const licenses = readFileSync(join(PAGE, 'licenses.txt'), 'utf8')
  for (const name of ['preact', '@preact/signals', '@preact/signals-core', '@dagrejs/dagre', '@dagrejs/graphlib']) {
    const folder = new URL(`../../../node_modules/${name}/`, import.meta.url)
    const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as { version: string }
    assert.ok(licenses.includes(`== ${name} ${version} ==`), name)
    assert.ok(licenses.includes(readFileSync(new URL('LICENSE', folder), 'utf8').trim()), name)
  }
})
