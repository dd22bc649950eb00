// Waits until every node that should have an agent has a ready one: `helm test`. It asks the API server, as the pod's
// service account, and needs nothing but the Node.js of the image.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'

const { NAMESPACE, DAEMONSET, SELECTOR, TIMEOUT_SECONDS, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } =
  process.env
const CREDENTIALS = process.env.CREDENTIALS ?? '/var/run/secrets/kubernetes.io/serviceaccount'
const PAUSE_MS = 2000

/** GETs an object; throws what the API server says when it is not there or not allowed. */
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

/** The node of each agent that is not ready, with what its container says. */
async function laggards() {
  const { items } = await get(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${encodeURIComponent(SELECTOR)}`)
  return items
    .filter((pod) => !isReady(pod))
    .map(({ metadata, spec, status }) => {
      const state = status?.containerStatuses?.[0]?.state ?? {}
      const why = state.waiting?.reason ?? state.terminated?.message ?? status?.phase ?? 'unknown'
      return `  ${metadata.name} on ${spec.nodeName ?? 'no node'}: ${why}`
    })
}

const end = Date.now() + Number(TIMEOUT_SECONDS) * 1000
for (;;) {
  const { metadata, status } = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/${DAEMONSET}`)
  const { desiredNumberScheduled: wanted = 0, numberReady: ready = 0, observedGeneration = 0 } = status ?? {}
  if (observedGeneration >= metadata.generation && wanted > 0 && ready === wanted) {
    console.log(`${ready} of ${wanted} agents are ready`)
    break
  }
  if (Date.now() > end) {
    console.error(
      [`${ready} of ${wanted} agents are ready after ${TIMEOUT_SECONDS} s`, ...(await laggards())].join('\n'),
    )
    process.exitCode = 1
    break
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
