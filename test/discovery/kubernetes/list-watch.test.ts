import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import fc from 'fast-check'
import { KubeApiserver, needsKubeApiserver } from '../../../rig/kube-apiserver.ts'
import { type Change, type Collection, DEFAULT_TIMING } from '../../../src/discovery/kubernetes/collection.ts'
import type { KnownPod } from '../../../src/discovery/kubernetes/known-pod.ts'
import { ListWatch } from '../../../src/discovery/kubernetes/list-watch.ts'
import {
  createNode,
  createPod,
  createServiceAccount,
  deletePod,
  deleteServiceAccount,
  grant,
  setPodStatus,
} from '../../support/kube-apiserver-objects.ts'
import { KubeApiserverProxy } from '../../support/kube-apiserver-proxy.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { ObjectServer, SHORT } from './object-server.ts'
import { ACCOUNT, AgentFiles, Lines, PODS_RULE, PodsUnderTest, podsOf, QUICK, until } from './rig.ts'

suite('ListWatch: pods of a real API server', { skip: needsKubeApiserver() }, () => {
  let cluster: KubeApiserver
  let proxy: KubeApiserverProxy
  let files: AgentFiles

  before(async () => {
    cluster = await KubeApiserver.start()
    proxy = await KubeApiserverProxy.start(cluster)
    files = await AgentFiles.create(cluster, [PODS_RULE], proxy.url)
    await createNode(cluster, 'n1')
  })
  after(async () => {
    await proxy?.stop()
    await cluster?.remove()
  })

  /** Creates pods whose name prefix is unique to a test, so that tests do not see each other's. */
  const make = async (...names: string[]): Promise<void> => {
    for (const name of names) await createPod(cluster, { name, node: 'n1' })
  }
  const only = (pods: PodsUnderTest, prefix: string): string[] => pods.names.filter((name) => name.startsWith(prefix))

  test('ListWatch: reports existing pods, and additions, changes and removals', async (t) => {
    await make('life-0', 'life-1')
    await createPod(cluster, { name: 'life-elsewhere', node: 'n2' })
    const pods = new PodsUnderTest(t, await files.access())
    await until('listed', () => pods.watch.state.connected)
    assert.deepEqual(only(pods, 'life-'), ['life-0', 'life-1'])
    await make('life-2')
    await setPodStatus(cluster, 'default', 'life-2', { podIPs: ['10.244.0.7'] })
    await deletePod(cluster, 'default', 'life-0')
    await until('removed', () => pods.reported.includes('removed life-0'))
    // A deleted pod first changes, and is removed when its grace period ends.
    assert.deepEqual(pods.reported.slice(-4), ['added life-2', 'changed life-2', 'changed life-0', 'removed life-0'])
    const { before: was } = pods.changes.at(-1)!
    assert.equal((was as KnownPod).name, 'life-0')
  })

  test('ListWatch: resumes after a clean close, a reset and a frozen connection', async (t) => {
    const pods = new PodsUnderTest(t, await files.access(), undefined, { ...QUICK, idleMs: 1500 })
    await until('watching', () => proxy.watches === 1)
    const lists = proxy.requests.length - proxy.watchRequests.length
    for (const how of ['end', 'reset', 'freeze'] as const) {
      proxy.cutWatches(how)
      await make(`cut-${how}`)
      await until(`${how} seen`, () => pods.names.includes(`cut-${how}`))
    }
    assert.deepEqual(only(pods, 'cut-'), ['cut-end', 'cut-freeze', 'cut-reset'])
    assert.equal(pods.reported.filter((text) => text.startsWith('added cut-')).length, 3)
    assert.equal(proxy.requests.length - proxy.watchRequests.length, lists, 'no new list was needed')
    assert.deepEqual(
      pods.log.lines.filter((line) => line.includes('cannot')).map((line) => line.replace(/: .*/, '')),
      ['cannot watch pods at the API server'],
      'the reset is logged; a silent connection is not a failure',
    )
  })

  test('ListWatch: bookmarks advance the revision while nothing changes', async (t) => {
    const pods = new PodsUnderTest(t, await files.access(), undefined, { ...QUICK, watchMs: 4000 })
    await until('watching', () => pods.watch.state.connected)
    const watched = proxy.watchRequests.at(-1)!.query
    assert.equal(watched.get('allowWatchBookmarks'), 'true')
    const reported = pods.reported.length
    await createPod(cluster, { name: 'bookmark-elsewhere', node: 'n2' })
    const revision = (): number => Number(proxy.watchRequests.at(-1)!.query.get('resourceVersion'))
    await until('restarted from a later revision', () => revision() > Number(watched.get('resourceVersion')))
    assert.equal(pods.reported.length, reported)
  })

  test('ListWatch: reconnects at most once a second with the default timing', async (t) => {
    const pods = new PodsUnderTest(t, await files.access(), undefined, DEFAULT_TIMING)
    await until('watching', () => pods.watch.state.connected)
    const since = proxy.watchRequests.length - 1
    while (proxy.watchRequests.length < since + 4) {
      proxy.cutWatches('end')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const times = proxy.watchRequests.slice(since).map(({ at }) => at)
    for (const [index, time] of times.slice(1).entries()) assert.ok(time - times[index] >= 1000, `${times}`)
    await make('storm-0')
    await until('seen after the storm', () => pods.names.includes('storm-0'))
  })

  test('ListWatch: a crash of the API server loses and repeats no change', async (t) => {
    await make('crash-0', 'crash-1')
    const pods = new PodsUnderTest(t, await files.access())
    await until('watching', () => pods.watch.state.connected)
    await cluster.stopServer('SIGKILL')
    await until('noticed', () => pods.watch.state.lastError !== null)
    assert.equal(pods.watch.state.connected, false)
    assert.deepEqual(only(pods, 'crash-'), ['crash-0', 'crash-1'], 'the records stay')
    await new Promise((resolve) => setTimeout(resolve, 2000))
    await cluster.startServer()
    await deletePod(cluster, 'default', 'crash-0')
    await make('crash-2')
    await until('caught up', () => only(pods, 'crash-').join() === 'crash-1,crash-2')
    const reported = pods.reported.filter((text) => /^(?:added|removed) crash-/.test(text))
    assert.deepEqual(reported.sort(), ['added crash-0', 'added crash-1', 'added crash-2', 'removed crash-0'])
    assert.equal(pods.log.lines.filter((line) => line.includes('cannot watch pods')).length, 1)
    assert.equal(pods.log.lines.filter((line) => line.includes('pods are watched again')).length, 1)
  })

  test('ListWatch: lists in pages after an expired revision (410), and reports only differences', async (t) => {
    await Promise.all(Array.from({ length: 30 }, (_, index) => make(`gone-${index}`)))
    const pods = new PodsUnderTest(t, await files.access(), podsOf('spec.nodeName=n1', 10))
    await until('watching', () => pods.watch.state.connected)
    proxy.reply = ({ query }) => (query.get('watch') === 'true' ? { status: 503 } : null)
    proxy.cutWatches('reset')
    await deletePod(cluster, 'default', 'gone-3')
    await make('gone-30')
    await cluster.stopServer('SIGTERM')
    await cluster.startServer()
    // The new server's cache starts here, and etcd has dropped the earlier revisions.
    await cluster.compact()
    const from = proxy.requests.length
    const reportedFrom = pods.reported.length
    proxy.reply = () => null
    await until('caught up', () => pods.names.includes('gone-30') && pods.watch.state.connected)
    assert.deepEqual(pods.reported.slice(reportedFrom).sort(), ['added gone-30', 'removed gone-3'])
    assert.equal(only(pods, 'gone-').length, 30)
    const lists = proxy.requests.slice(from).filter(({ query }) => query.get('watch') === null)
    assert.ok(lists.length >= 4, 'pages')
    assert.ok(lists.slice(1).every(({ query }) => query.get('limit') === '10' && query.get('continue') !== null))
  })

  test('ListWatch: reports a revoked token, and uses a new one from its file', async (t) => {
    const pods = new PodsUnderTest(t, await files.access())
    await until('watching', () => pods.watch.state.connected)
    await deleteServiceAccount(cluster, ACCOUNT.namespace, ACCOUNT.name)
    // An open watch keeps the identity with which it was opened; the server caches tokens for 10 s.
    await until('refused', () => {
      if (pods.watch.state.connected) proxy.cutWatches('end')
      return pods.watch.state.lastError?.includes('401') === true
    })
    assert.match(pods.log.lines.join('\n'), /rejects the agent’s credentials \(watch pods: 401/)
    await createServiceAccount(cluster, ACCOUNT.namespace, ACCOUNT.name)
    await files.renewToken()
    await until('watching again', () => pods.watch.state.connected)
    assert.equal(pods.watch.state.lastError, null)
  })

  test('ListWatch: reports a revoked verb once, with the missing rule, and keeps retrying', async (t) => {
    const pods = new PodsUnderTest(t, await files.access())
    await until('watching', () => pods.watch.state.connected)
    await grant(cluster, ACCOUNT.namespace, ACCOUNT.name, [{ ...PODS_RULE, verbs: ['list'] }])
    await until('refused', () => {
      if (pods.watch.state.connected) proxy.cutWatches('end')
      return pods.watch.state.lastError?.includes('403') === true
    })
    const tries = proxy.requests.length
    await until('retried', () => proxy.requests.length > tries + 3)
    assert.deepEqual(
      pods.log.lines.filter((line) => line.includes('403')),
      [
        'the API server does not allow system:serviceaccount:ops:agent to watch pods (403) | ' +
          'Add this rule to its ClusterRole: apiGroups: [""], resources: ["pods"], verbs: ["watch"].',
      ],
    )
    await grant(cluster, ACCOUNT.namespace, ACCOUNT.name, [])
    const unlisted = new PodsUnderTest(t, await files.access())
    await until('refused', () => unlisted.log.lines.length > 0)
    assert.match(unlisted.log.lines[0], /agent to list pods \(403\) \| Add .* verbs: \["list"\]/)
    assert.equal(unlisted.watch.state.synced, false)
    await grant(cluster, ACCOUNT.namespace, ACCOUNT.name, [PODS_RULE])
    await until('watching again', () => pods.watch.state.connected && unlisted.watch.state.connected)
  })

  test('ListWatch: starts without an API server, and connects when it is up', async (t) => {
    await make('early-0')
    await cluster.stopServer('SIGTERM')
    const pods = new PodsUnderTest(t, await files.access())
    await until('removed', () => pods.log.lines.length > 0)
    assert.match(pods.log.lines[0], /^cannot list pods at the API server: .* \| Interceptor keeps retrying/)
    await cluster.startServer()
    await until('listed', () => pods.names.includes('early-0'))
    assert.equal(pods.log.lines.at(-1), 'pods are watched again')
  })

  test('ListWatch: the first response of a server that was unreachable resets the backoff', async (t) => {
    proxy.reply = () => 'none'
    const from = proxy.requests.length
    const timing = { ...QUICK, minPauseMs: 50, maxPauseMs: 60_000 }
    const pods = new PodsUnderTest(t, await files.access(), undefined, timing)
    await until('the backoff has grown', () => proxy.requests.length >= from + 7)
    const back = proxy.requests.length
    proxy.reply = () => ({ status: 403 })
    await until('refused three times', () => proxy.requests.length >= back + 3)
    const [first, , third] = proxy.requests.slice(back)
    // Two pauses: at most 50 + 50 and 50 + 100 ms.
    assert.ok(third.at - first.at < 1000, `${third.at - first.at} ms`)
    proxy.reply = () => null
    await until('watching', () => pods.watch.state.connected)
  })

  test('ListWatch: obeys Retry-After', async (t) => {
    proxy.reply = ({ query }) =>
      query.get('watch') === 'true' ? { status: 429, headers: { 'retry-after': '2' } } : null
    const from = proxy.watchRequests.length
    const pods = new PodsUnderTest(t, await files.access())
    await until('asked twice', () => proxy.watchRequests.length >= from + 2)
    const [first, second] = proxy.watchRequests.slice(from)
    assert.ok(second.at - first.at >= 2000)
    assert.match(pods.watch.state.lastError ?? '', /429/)
    proxy.reply = () => null
    await until('watching', () => pods.watch.state.connected)
  })

  test('ListWatch: an invalid event and an endless one break only the watch', async (t) => {
    const pods = new PodsUnderTest(t, await files.access())
    await until('watching', () => pods.watch.state.connected)
    for (const body of ['{"type":"ADDED","object":{\n', 'x'.repeat(9 * 1024 * 1024)]) {
      proxy.reply = ({ query }) => (query.get('watch') === 'true' ? { status: 200, body } : null)
      const { restarts } = pods.watch.state
      proxy.cutWatches('end')
      await until('noticed', () => pods.watch.state.restarts > restarts + 1 && pods.watch.state.lastError !== null)
    }
    proxy.reply = () => null
    await make('broken-0')
    await until('seen', () => pods.names.includes('broken-0'))
  })
})

const COLORS = '/api/v1/colors'

interface Color {
  readonly uid: string
  readonly color: string
}

/** Objects of three colours: grey ones are ignored by the reader, and black ones are not selected. */
const colors = (paged: boolean): Collection<Color> => ({
  path: COLORS,
  resource: 'colors',
  group: '',
  fieldSelector: 'metadata.color!=black',
  pageSize: 2,
  paged,
  maxRecords: 1000,
  keep: (object) => {
    const { uid, color } = (object as { metadata: Color }).metadata
    return color === 'grey' ? null : { uid, color }
  },
})

const colorStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      uid: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      color: fc.constantFrom('red', 'green', 'grey', 'black', null),
      // Change objects while the connection is closed, and drop the history: only a list shows the change.
      isMissed: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.constantFrom('cut', 'compact', 'wait', 'wait') },
)

test('ListWatch: model: equals the collection after every outage, as does the sum of its reported changes', async (t) => {
  const server = await ObjectServer.start(t)
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.array(colorStep, { minLength: 10, maxLength: 40 }),
    async (paged, steps) => {
      server.clear()
      const model = new Map<string, string>()
      const reported = new Map<string, string>()
      const onChange = ({ now, before }: Change<Color>): void => {
        const uid = (now ?? before)?.uid ?? ''
        assert.equal(reported.get(uid), before?.color, 'a change continues the last one')
        if (now === null) reported.delete(uid)
        else reported.set(uid, now.color)
      }
      const options = { client: server.client, collection: colors(paged), log: new Lines(), onChange, timing: SHORT }
      const watch = new ListWatch(options)
      const sorted = (items: Iterable<[string, string]>): string => JSON.stringify([...items].sort())
      const held = (): string =>
        sorted([...watch.items.values()].map(({ uid, color }) => [uid, color] as [string, string]))
      const isCurrent = (): boolean => watch.state.synced && held() === sorted(model)
      try {
        for (const step of steps) {
          if (step === 'cut') server.cut()
          else if (step === 'compact') server.compact()
          else if (step === 'wait') await until(`${held()} is ${sorted(model)}`, isCurrent, 10)
          else {
            const { uid, color, isMissed } = step
            if (isMissed) server.cut()
            if (color === 'red' || color === 'green') model.set(uid, color)
            else model.delete(uid)
            server.set(COLORS, uid, color === null ? null : { metadata: { uid, color } })
            if (isMissed) server.compact()
          }
        }
        await until(`${held()} is ${sorted(model)}`, isCurrent, 10)
        assert.equal(sorted(reported), held())
      } finally {
        await watch.close()
      }
    },
  )
  await fc.assert(property, { numRuns: propertyRuns(60), interruptAfterTimeLimit: 20_000 })
})
