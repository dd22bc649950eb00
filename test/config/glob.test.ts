import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Glob, type GlobOptions, globMatcher, hasWildcard } from '../../src/config/glob.ts'

const PATH: GlobOptions = { separator: '/' }
const TYPE: GlobOptions = { ignoreCase: true }

const cases: [pattern: string, options: GlobOptions, matching: string[], others: string[]][] = [
  ['kube-*', {}, ['kube-', 'kube-system'], ['my-kube-system', 'kube']],
  ['*', {}, ['', 'a/b'], []],
  ['team-?', {}, ['team-a'], ['team-', 'team-ab']],
  ['a.b', {}, ['a.b'], ['axb', 'a.bc', 'A.b']],
  ['(a|b)[c]+\\', {}, ['(a|b)[c]+\\'], ['ac']],
  ['application/*+json', TYPE, ['application/problem+json', 'APPLICATION/vnd.api+JSON'], ['application/json']],
  ['*/*', TYPE, ['text/html'], ['text']],
  ['/health*', PATH, ['/health', '/healthz'], ['/health/live', '/a/health']],
  ['/v?/users', PATH, ['/v1/users'], ['/v/users', '/v12/users', '/v//users']],
  ['/users/*/avatar', PATH, ['/users/7/avatar', '/users//avatar'], ['/users/7/8/avatar', '/users/avatar']],
  ['/actuator/**', PATH, ['/actuator', '/actuator/', '/actuator/health/live'], ['/actuators', '/a/actuator']],
  ['/**/health', PATH, ['/health', '/a/health', '/a/b/health'], ['/ahealth', '/health/a', 'health']],
  ['**/health', PATH, ['/health', '/a/health', 'health'], ['/ahealth', 'xhealth']],
  ['/a/**/b/*c', PATH, ['/a/b/c', '/a/x/b/y/b/xc'], ['/a/b/x/c', '/a/xb/c']],
  ['/**', PATH, ['/', '/a', '/a/b', ''], ['a']],
  ['/a**z', PATH, ['/az', '/a/b/z'], ['/a/b']],
  ['/**.js', PATH, ['/a.js', '/a/b.js', '/.js'], ['/a.jsx']],
]

for (const [pattern, options, matching, others] of cases) {
  test(`glob: ${pattern} matches what it should, and nothing else`, () => {
    const glob = new Glob(pattern, options)
    for (const text of matching) assert.ok(glob.matchesText(text), text)
    for (const text of others) assert.ok(!glob.matchesText(text), text)
  })
}

test('glob: a list matches what any of its patterns matches', () => {
  const matches = globMatcher(['a*', '*b'])
  assert.deepEqual(['ax', 'xb', 'x'].map(matches), [true, true, false])
  assert.ok(!globMatcher([])('a'))
})

test('glob: only * and ? are wildcards', () => {
  assert.deepEqual(['/a', '/a*', 'a?', '[a]'].map(hasWildcard), [false, true, true, false])
})

test('glob: matches a range of bytes, and no more of them', () => {
  const bytes = new TextEncoder().encode('x/a/by')
  assert.ok(new Glob('/*/b', PATH).matches(bytes, 1, 5))
  assert.ok(!new Glob('/*/b', PATH).matches(bytes, 1, 6))
})

test('glob: agrees with an equivalent regular expression', () => {
  const translate = (pattern: string): RegExp =>
    new RegExp(
      `^${pattern.replace(/(^|(?<=\/))\*\*\/|(?<=.)\/\*\*$|^\/\*\*$|\*\*|\*|\?/gs, (token, _group, at: number) => {
        if (token === '*') return '[^/]*'
        if (token === '?') return '[^/]'
        if (token === '**/' && (at === 0 || pattern[at - 1] === '/')) return '(?:.*/)?'
        return token === '/**' ? '(?:/.*)?' : '.*'
      })}$`,
      's',
    )
  // Three stars in a row have no defined meaning.
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '**', '?'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 })
  fc.assert(
    fc.property(
      pattern.filter((value) => !value.includes('***')),
      fc.array(text, { minLength: 5, maxLength: 20 }),
      (value, texts) => {
        const [glob, expression] = [new Glob(value, PATH), translate(value)]
        for (const each of texts) assert.equal(glob.matchesText(each), expression.test(each), `${value} on ${each}`)
      },
    ),
    { numRuns: 5000 },
  )
})

test('glob: the time for a text that nearly matches is proportional to its length', () => {
  const text = 'a'.repeat(200_000)
  const started = process.cpuUsage()
  assert.ok(!new Glob('/**/*a*a*a*a*b', PATH).matchesText(`/${text}`))
  assert.ok(process.cpuUsage(started).user < 5_000_000)
})
