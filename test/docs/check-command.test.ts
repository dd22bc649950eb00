import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { checkLine } from './check-command.ts'

const CHART = 'deploy/helm/interceptor --set image.repository=R,config.kafka.brokers={k:9092}'

const RIGHT = [
  'npx interceptor read -f FILE | jq .',
  'sudo interceptor capture -i any "tcp port 80"',
  'interceptor config schema',
  `helm install interceptor ${CHART} -n a --create-namespace --wait`,
  'helm upgrade interceptor deploy/helm/interceptor --reset-then-reuse-values --set config.kafka.topic=t',
  'kubectl -n a exec ds/interceptor -- interceptor tail --from 10m',
  'docker run --rm -i registry/interceptor:0.1 read -',
  'npm run bench -- --help',
  '.ci/run',
]

const WRONG: readonly [string, RegExp][] = [
  ['interceptor read --al FILE', /unknown option '--al'/],
  ['interceptor raed FILE', /unknown command 'raed'/],
  ['interceptor read', /missing required argument/],
  ['interceptor tail --set kafka.topik=a', /kafka\.topik/],
  ['sudo interceptor capture -i eth0 -o xml', /invalid/],
  [`helm install interceptor ${CHART} --no-such`, /unknown flag: --no-such/],
  [`helm install interceptor ${CHART} --set nowhere=1`, /nowhere/],
  ['kubectl -n a exec ds/interceptor -- interceptor pods --nope', /unknown option '--nope'/],
  ['kubectl rollout stats ds/interceptor --nope', /unknown flag: --nope/],
  ['docker run --rm interceptor tail --nope', /unknown option '--nope'/],
  ['npm run nothing', /no script nothing/],
  ['scripts/nothing.sh', /there is no scripts\/nothing\.sh/],
  ['frobnicate', /nothing here knows the program frobnicate/],
]

const skip = needsKubeTools()

for (const line of RIGHT) {
  test(`check-command: finds nothing wrong with ${line}`, { skip }, () => assert.deepEqual(checkLine(line), []))
}

for (const [line, problem] of WRONG) {
  test(`check-command: reports ${line}`, { skip }, () => assert.match(checkLine(line).join('\n'), problem))
}
