// `helm test`: waits until the agent is ready on every node it is scheduled on. It asks the API server as the pod's service
// account, and needs nothing but the image's Node.js.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'

const { NAMESPACE, DAEMONSETS, SELECTOR, TIMEOUT_SECONDS, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } =
  process.env
const CREDENTIALS = process.env.CREDENTIALS ?? '/var/run/secrets/kubernetes.io/serviceaccount'
const PAUSE_MS = 2000

/** GETs an object. @throws with the API server's response when it is missing or forbidden */
function get(path) {
  const options = {
    host: KUBERNETES_SERVICE_HOST,
    port: KUBERNETES_SERVICE_PORT,
    path,
    ca: readFileSync(`${CREDENTIALS}/ca.crt`),
    headers: { authorization: `Bearer ${readFileSync(`${CREDENTIALS}/token`, 'utf8').trim()}` },
  }
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

const isReady = (pod) => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')

/** Each agent that is not ready, with its node and its container's state. */
async function notReady() {
  const { items } = await get(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${encodeURIComponent(SELECTOR)}`)
  return items
    .filter((pod) => !isReady(pod))
    .map(({ metadata, spec, status }) => {
      const state = status?.containerStatuses?.[0]?.state ?? {}
      const why = state.waiting?.reason ?? state.terminated?.message ?? status?.phase ?? 'unknown'
      return `  ${metadata.name} on ${spec.nodeName ?? 'no node'}: ${why}`
    })
}

/** Scheduled and ready agents of all DaemonSets; `current`: their status is of their latest generation. */
async function count() {
  const sum = { wanted: 0, ready: 0, current: true }
  for (const name of DAEMONSETS.split(',')) {
    const { metadata, status } = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${name}`)
    sum.wanted += status?.desiredNumberScheduled ?? 0
    sum.ready += status?.numberReady ?? 0
    sum.current &&= (status?.observedGeneration ?? 0) >= metadata.generation
  }
  return sum
}

const end = Date.now() + Number(TIMEOUT_SECONDS) * 1000
for (;;) {
  const { wanted, ready, current } = await count()
  if (current && wanted > 0 && ready === wanted) {
    console.log(`${ready} of ${wanted} agents are ready`)
    break
  }
  if (Date.now() > end) {
    console.error(
      [`${ready} of ${wanted} agents are ready after ${TIMEOUT_SECONDS} s`, ...(await notReady())].join('\n'),
    )
    process.exitCode = 1
    break
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
