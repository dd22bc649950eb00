import assert from 'node:assert/strict'
import { test } from 'node:test'
import { podSelector, type SelectionRules } from '../../../src/discovery/decide/selection.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import { knownPod } from '../make.ts'

const isApi = (labels: Readonly<Record<string, string>>): boolean => labels['app'] === 'api'
const inShop = knownPod('a', { labels: { app: 'api' } })
const annotated = (value: string): KnownPod => ({ ...inShop, annotations: { 'interceptor.dev/capture': value } })

const cases: [title: string, rules: Partial<SelectionRules>, pod: KnownPod | null, selected: boolean, why: RegExp][] = [
  ['no rules', {}, inShop, true, /^null$/],
  ['no rules, pod not reported', {}, null, true, /^null$/],
  ['included', { include: ['shop'] }, inShop, true, /^null$/],
  ['included by a glob', { include: ['x', 'sh*'] }, inShop, true, /^null$/],
  ['not included', { include: ['pay*'] }, inShop, false, /namespace shop is not in targets\.namespaces\.include/],
  ['excluded', { exclude: ['shop'] }, inShop, false, /namespace shop is excluded by targets\.namespaces\.exclude/],
  ['excluded although included', { include: ['shop'], exclude: ['s*'] }, inShop, false, /exclude/],
  ['labels match', { matchesLabels: isApi }, inShop, true, /^null$/],
  ['labels do not match', { matchesLabels: isApi }, knownPod('a'), false, /targets\.selector/],
  ['include, pod not reported', { include: ['*'] }, null, false, /its namespace cannot be checked/],
  ['exclude, pod not reported', { exclude: ['kube-system'] }, null, false, /its namespace cannot be checked/],
  ['selector, pod not reported', { matchesLabels: isApi }, null, false, /its labels cannot be checked/],
  ['annotation false', {}, annotated('false'), false, /annotation interceptor\.dev\/capture is false/],
  [
    'annotation true overrides the rules',
    { exclude: ['*'], matchesLabels: () => false },
    annotated('true'),
    true,
    /is true$/,
  ],
  ['annotation with another value is ignored', { exclude: ['shop'] }, annotated('yes'), false, /exclude/],
]

for (const [title, rules, pod, selected, why] of cases) {
  test(`podSelector: ${title}`, () => {
    const selection = podSelector({ include: [], exclude: [], matchesLabels: null, ...rules })(pod)
    assert.equal(selection.selected, selected)
    assert.match(String(selection.why), why)
  })
}
