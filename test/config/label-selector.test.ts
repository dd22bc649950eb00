import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLabelSelector } from '../../src/config/label-selector.ts'
import { EXIT_USAGE } from '../../src/errors.ts'

const LABELS = { app: 'web', tier: 'front', 'example.com/team': 'a_b.c', empty: '' }

const MATCHING = [
  '',
  '  ',
  'app',
  'app=web',
  'app==web',
  ' app = web ',
  'app!=shop',
  'other!=web',
  '!canary',
  '! canary',
  'tier in (front,back)',
  'tier in (front)',
  'tier in(back , front)',
  'tier notin (back)',
  'other notin (front)',
  'example.com/team=a_b.c',
  'empty=',
  'empty',
  'empty in (,x)',
  'app=web,tier in (front, back),!canary',
]
const OTHERS = [
  'canary',
  'app=shop',
  'app!=web',
  '!app',
  'tier in (back)',
  'other in (front)',
  'tier notin (front, back)',
  'app=',
  'empty!=',
  'app=web,canary',
  'toString',
  'in=x',
]

test('parseLabelSelector: matches like Kubernetes', () => {
  for (const selector of MATCHING) assert.equal(parseLabelSelector(selector).matches(LABELS), true, selector)
  for (const selector of OTHERS) assert.equal(parseLabelSelector(selector).matches(LABELS), false, selector)
})

test('parseLabelSelector: reports the position of an error and what is expected there', () => {
  const cases: [string, RegExp][] = [
    ['app=web,', /expected a label key, .* at its end/],
    [',', /expected a label key, .* at “,”/],
    ['app in web', /expected values in parentheses, such as \(a, b\) at “web”/],
    ['app in (web', /expected a comma or \) at its end/],
    ['app web', /expected a comma or the end at “web”/],
    ['app=web shop', /expected a comma or the end at “shop”/],
    ['-app', /expected a label key/],
    ['Example.com/app', /expected a label key/],
    [`app=${'x'.repeat(64)}`, /expected a label value/],
    ['app=a/b', /expected a label value/],
    ['app>5', /expected a label key/],
    ['!', /at its end/],
  ]
  for (const [selector, message] of cases) {
    assert.throws(
      () => parseLabelSelector(selector),
      { name: 'InterceptorError', exitCode: EXIT_USAGE, message },
      selector,
    )
  }
})

test('parseLabelSelector: recognises requirements that contradict each other', () => {
  const isContradictory = (text: string): boolean => parseLabelSelector(text).isContradictory
  for (const text of ['a=1,a=2', 'a,!a', 'a=1,!a', 'a in (1, 2),a notin (1, 2)', 'b=1,a=1,a!=1'])
    assert.ok(isContradictory(text), text)
  for (const text of ['', 'a=1,b=2', 'a,a=1', '!a,a!=1', 'a in (1, 2),a notin (1)', 'a='])
    assert.ok(!isContradictory(text), text)
})
