import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SelectionRules, selector } from '../../../src/discovery/decide/selection.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import { told } from '../make.ts'

const isApi = (labels: Readonly<Record<string, string>>): boolean => labels['app'] === 'api'
const inShop = told('a', { labels: { app: 'api' } })
const annotated = (value: string): KnownPod => ({ ...inShop, annotations: { 'interceptor.dev/capture': value } })

const cases: [title: string, rules: Partial<SelectionRules>, pod: KnownPod | null, wanted: boolean, why: RegExp][] = [
  ['no rules', {}, inShop, true, /^null$/],
  ['no rules, and nothing known', {}, null, true, /^null$/],
  ['included', { include: ['shop'] }, inShop, true, /^null$/],
  ['included by a glob', { include: ['x', 'sh*'] }, inShop, true, /^null$/],
  ['not included', { include: ['pay*'] }, inShop, false, /namespace shop is not in targets\.namespaces\.include/],
  ['excluded', { exclude: ['shop'] }, inShop, false, /namespace shop is left out by targets\.namespaces\.exclude/],
  ['excluded although included', { include: ['shop'], exclude: ['s*'] }, inShop, false, /exclude/],
  ['labels match', { matchesLabels: isApi }, inShop, true, /^null$/],
  ['labels do not match', { matchesLabels: isApi }, told('a'), false, /targets\.selector/],
  ['include, nothing known', { include: ['*'] }, null, false, /its namespace is not known/],
  ['exclude, nothing known', { exclude: ['kube-system'] }, null, false, /its namespace is not known/],
  ['selector, nothing known', { matchesLabels: isApi }, null, false, /its labels are not known/],
  ['annotated out', {}, annotated('false'), false, /annotation interceptor\.dev\/capture is false/],
  ['annotated in', { exclude: ['*'], matchesLabels: () => false }, annotated('true'), true, /is true$/],
  ['annotated with something else', { exclude: ['shop'] }, annotated('yes'), false, /exclude/],
]

for (const [title, rules, pod, wanted, why] of cases) {
  test(`selector: ${title}`, () => {
    const choice = selector({ include: [], exclude: [], matchesLabels: null, ...rules })(pod)
    assert.equal(choice.wanted, wanted)
    assert.match(String(choice.why), why)
  })
}
