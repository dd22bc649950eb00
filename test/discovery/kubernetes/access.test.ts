import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { findApiServer } from '../../../src/discovery/kubernetes/access.ts'
import { EXIT_USAGE } from '../../../src/errors.ts'

function folder(t: TestContext, files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'access-'))
  t.after(() => rmSync(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return path
}

const kubeconfig = (cluster: object, user: object): string =>
  stringify({
    clusters: [{ name: 'c', cluster: { server: 'https://api.example:6443/prefix/', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  })

const fromFile = async (t: TestContext, cluster: object, user: object, files: Record<string, string> = {}) => {
  const path = join(folder(t, { config: kubeconfig(cluster, user), ...files }), 'config')
  return (await findApiServer({ enabled: 'auto', kubeconfig: path, env: {} }))!
}

test('findApiServer: returns null if disabled or not configured', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }
  assert.equal(await findApiServer({ enabled: false, kubeconfig: 'config', env }), null)
  assert.equal(await findApiServer({ enabled: 'auto', kubeconfig: '', env: {} }), null)
  await assert.rejects(findApiServer({ enabled: true, kubeconfig: '', env: {} }), {
    exitCode: EXIT_USAGE,
    message: 'kubernetes.enabled is true, but there is no API server',
  })
})

test('findApiServer: uses the pod’s service account, and reads a rotated token after a 401', async (t) => {
  const path = folder(t, { token: 'one\n', 'ca.crt': 'PEM' })
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
  const access = (await findApiServer({ enabled: 'auto', kubeconfig: '', env, serviceAccountFolder: path }))!
  assert.equal(access.server.href, 'https://[fd00::1]:6443/')
  assert.deepEqual(await access.credentials(), {
    headers: { Authorization: 'Bearer one' },
    rejectUnauthorized: true,
    ca: Buffer.from('PEM'),
  })
  writeFileSync(join(path, 'token'), 'two')
  access.forgetCredentials()
  assert.deepEqual((await access.credentials()).headers, { Authorization: 'Bearer two' })
  rmSync(join(path, 'token'))
  access.forgetCredentials()
  await assert.rejects(access.credentials(), /ENOENT/)
})

test('findApiServer: supports a token, a token file, a certificate and a credential plugin in a kubeconfig', async (t) => {
  const token = await fromFile(t, { 'insecure-skip-tls-verify': true }, { token: 'abc' })
  assert.equal(token.server.href, 'https://api.example:6443/prefix')
  assert.deepEqual(await token.credentials(), { headers: { Authorization: 'Bearer abc' }, rejectUnauthorized: false })

  const file = await fromFile(t, { 'tls-server-name': 'kubernetes' }, { tokenFile: 'token' }, { token: 'def\n' })
  const { headers, servername } = await file.credentials()
  assert.deepEqual([headers, servername], [{ Authorization: 'Bearer def' }, 'kubernetes'])

  const ca = { 'certificate-authority-data': Buffer.from('CA').toString('base64') }
  const user = { 'client-certificate': 'a.crt', 'client-key-data': Buffer.from('KEY').toString('base64'), as: 'other' }
  const certificate = await (await fromFile(t, ca, user, { 'a.crt': 'CERT' })).credentials()
  assert.deepEqual([certificate.ca, certificate.cert, certificate.key].map(String), ['CA', 'CERT', 'KEY'])
  assert.deepEqual(certificate.headers, { 'Impersonate-User': 'other' })

  const anonymous = stringify({
    ...parse(kubeconfig({}, {})),
    contexts: [{ name: 'x', context: { cluster: 'c' } }],
  })
  const path = join(folder(t, { config: anonymous }), 'config')
  const withoutUser = (await findApiServer({ enabled: true, kubeconfig: path, env: {} }))!
  assert.deepEqual(await withoutUser.credentials(), { headers: {}, rejectUnauthorized: true })

  const credential = JSON.stringify({ status: { token: 'ghi' } })
  const plugin = await fromFile(t, {}, { exec: { command: 'echo', args: [credential] } })
  assert.deepEqual((await plugin.credentials()).headers, { Authorization: 'Bearer ghi' })
})

test('findApiServer: reports why a kubeconfig cannot be used', async (t) => {
  const path = folder(t, {
    empty: '',
    list: '[1]',
    'no yaml': ': : :',
    'no context': stringify({ clusters: [], users: [], contexts: [], 'current-context': 'x' }),
    'no server': kubeconfig({ server: undefined }, {}),
    'no user': kubeconfig({}, {}).replace('user: u', 'user: v'),
    'no url': kubeconfig({ server: 'nowhere' }, {}),
    proxied: kubeconfig({ 'proxy-url': 'http://proxy' }, {}),
  })
  const cases: [string, RegExp][] = [
    ['absent', /no such file or directory/],
    ['empty', /it has no current-context/],
    ['list', /it has no current-context/],
    ['no yaml', /kubeconfig .*no yaml: /],
    ['no context', /it has no context x/],
    ['no server', /clusters\[0\]\.cluster\.server is missing/],
    ['no user', /it has no user v/],
    ['no url', /its server nowhere is not a URL/],
    ['proxied', /proxy-url is not supported/],
  ]
  for (const [name, message] of cases) {
    const found = findApiServer({ enabled: 'auto', kubeconfig: join(path, name), env: {} })
    await assert.rejects(
      found,
      { exitCode: EXIT_USAGE, message, hint: 'The file is set by kubernetes.kubeconfig.' },
      name,
    )
  }
})
