/** The section `targets` of the configuration: which pods are captured, on which interfaces. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { choice, leaf, list, section, text } from './key-kinds.ts'
import { NAMESPACE_ITEM } from './list-items.ts'

const PORT_ERROR = 'must be a port number from 1 to 65535'
const PORT = z.number({ error: PORT_ERROR }).int(PORT_ERROR).min(1, PORT_ERROR).max(65535, PORT_ERROR)
const INTERFACE_ERROR = 'must be an interface name, a glob, lo or pod'

/** What a rule of `targets.interfaces` consists of. */
const RULE_KEYS = {
  namespaces: z.array(z.string().regex(/\S/, 'must not be empty'), { error: 'must be a list' }).default([]),
  workload: z
    .string({ error: 'must be text' })
    .regex(/^$|^[^/]+\/[^/]+$/, 'must be a kind and a name, such as Deployment/api')
    .default(''),
  selector: z.string({ error: 'must be text' }).default(''),
  interfaces: z
    .array(z.string({ error: INTERFACE_ERROR }).regex(/^[^\s,/]{1,15}$/, INTERFACE_ERROR), {
      error: 'must be a list of interfaces',
    })
    .min(1, 'must name an interface'),
}

const interfaceRule = z.strictObject(RULE_KEYS, {
  error: (issue) =>
    issue.code === 'unrecognized_keys'
      ? `has the unknown key ${issue.keys.join(', ')}; a rule has ${Object.keys(RULE_KEYS).join(', ')}`
      : 'must be a rule with interfaces',
})

function isNetwork(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/')
  const family = isIP(address)
  return rest.length === 0 && family !== 0 && /^\d+$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
}

export const targets = section('Which pods of the node the agent captures.', {
  procRoot: text('/proc', 'Where the host’s /proc is mounted.'),
  namespaces: section('Kubernetes namespaces, as names or with the wildcards `*` and `?`.', {
    include: list([], 'Capture only these. Empty: all.', NAMESPACE_ITEM),
    exclude: list([], 'Capture none of these.', NAMESPACE_ITEM),
  }),
  selector: text('', 'Kubernetes label selector. Only matching pods are captured.'),
  interfaces: leaf(
    'rules',
    z.array(interfaceRule, { error: 'must be a list of rules' }),
    [],
    'On which interfaces pods are captured, in place of the default. The first rule that matches a pod applies; the pod’s annotation `interceptor.dev/interfaces` takes precedence. A rule has `interfaces` (names or globs; `lo`: loopback; `pod`: the interface of the default route) and, to select pods, `namespaces` (names or globs), `workload` (such as `Deployment/api`, globs) and `selector` (labels).',
  ),
  excludePorts: leaf(
    'list',
    z.array(PORT, { error: 'must be a list of port numbers' }),
    [],
    'TCP ports that are not captured.',
  ),
  keep: choice(
    ['server', 'both'],
    'server',
    'Which captures of an exchange inside the cluster are kept: the server’s only, or those of both sides.',
  ),
  clusterNetworks: leaf(
    'list',
    z.array(z.string().refine(isNetwork, 'must be a network such as 10.0.0.0/8'), { error: 'must be a list' }),
    [],
    'Networks of the cluster’s pods and Services. Empty: read from the API server.',
  ),
})
