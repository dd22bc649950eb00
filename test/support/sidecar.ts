/**
 * A sidecar like Istio's: Envoy beside an application, whose traffic iptables redirects to it, with mutual TLS between
 * sidecars. Ports, the proxy's group and the rules are Istio's; a file takes the place of istiod.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { RigPod } from '../../rig/node-rig.ts'
import { isListening, until } from './agent-rig.ts'
import { ENVOY } from './envoy.ts'

/** The proxy's group, whose traffic is not redirected to it again. */
const GROUP = 1337
const INBOUND = 15_006
const OUTBOUND = 15_001
const ADMIN = 15_000
/** The address from which the proxy connects to its application. */
const INBOUND_SOURCE = '127.0.0.6'

const EXTENSIONS = 'type.googleapis.com/envoy.extensions'

/** A mesh: the certificate authority trusted by its sidecars, and their keys. */
export class Mesh {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mesh-'))
  #sidecars = 0

  constructor(t: TestContext) {
    t.after(() => rmSync(this.#folder, { recursive: true }))
    const self = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=mesh']
    this.#openssl('req', ...self, '-keyout', 'ca.key', '-out', 'ca.crt')
  }

  /**
   * Adds a sidecar to a pod, to which the application's traffic is redirected from then on.
   *
   * @param services addresses and ports of pods with a sidecar, by the Host that names them; traffic for any other Host
   * is passed through unchanged
   */
  async inject(pod: RigPod, services: Record<string, string>): Promise<void> {
    this.#sidecars += 1
    const name = `sidecar-${this.#sidecars}`
    this.#makeKey(name)
    const file = join(this.#folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(this.#config(name, services)))
    const { containerId } = await pod.run('pilot-agent proxy sidecar')
    const program = [ENVOY, '-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'error']
    const { pid } = await pod.run('envoy', { program, containerId, group: GROUP })
    for (const port of [INBOUND, OUTBOUND]) await until(`sidecar at ${port}`, () => isListening(pid, port))
    redirect(pod)
  }

  #config(name: string, services: Record<string, string>): object {
    const hosts = Object.entries(services)
    const route = (cluster: string, domains: string[]) => ({
      name: cluster,
      domains,
      routes: [{ match: { prefix: '/' }, route: { cluster } }],
    })
    const outbound = [...hosts.map(([host]) => route(host, [host])), route('passthrough', ['*'])]
    return {
      admin: { address: address('127.0.0.1', ADMIN) },
      static_resources: {
        listeners: [
          listener('virtualOutbound', OUTBOUND, outbound, null),
          listener('virtualInbound', INBOUND, [route('inbound', ['*'])], this.#tls(name, 'Downstream')),
        ],
        clusters: [
          { ...originalDestination('passthrough') },
          {
            ...originalDestination('inbound'),
            upstream_bind_config: { source_address: { address: INBOUND_SOURCE, port_value: 0 } },
          },
          ...hosts.map(([host, pod]) => ({ ...cluster(host, pod), transport_socket: this.#tls(name, 'Upstream') })),
        ],
      },
    }
  }

  #tls(name: string, side: 'Upstream' | 'Downstream'): object {
    const file = (ending: string) => ({ filename: join(this.#folder, ending) })
    const certificate = { certificate_chain: file(`${name}.crt`), private_key: file(`${name}.key`) }
    const common = { tls_certificates: [certificate], validation_context: { trusted_ca: file('ca.crt') } }
    return {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `${EXTENSIONS}.transport_sockets.tls.v3.${side}TlsContext`,
        common_tls_context: common,
        ...(side === 'Downstream' ? { require_client_certificate: true } : {}),
      },
    }
  }

  #makeKey(name: string): void {
    const request = ['-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`]
    this.#openssl('req', ...request, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`)
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
}

/** Istio's iptables rules, in their order, without rules for excluded ports. */
function redirect({ namespace }: RigPod): void {
  const to = (port: number): string[] => ['-j', 'REDIRECT', '--to-ports', String(port)]
  const proxy = ['-m', 'owner', '--gid-owner', String(GROUP)]
  const rules = [
    ['PREROUTING', ...to(INBOUND)],
    ['OUTPUT', '-s', INBOUND_SOURCE, '-o', 'lo', '-j', 'RETURN'],
    ['OUTPUT', '!', '-d', '127.0.0.1/32', '-o', 'lo', ...proxy, ...to(INBOUND)],
    ['OUTPUT', '-o', 'lo', '-m', 'owner', '!', '--gid-owner', String(GROUP), '-j', 'RETURN'],
    ['OUTPUT', ...proxy, '-j', 'RETURN'],
    ['OUTPUT', '-d', '127.0.0.1/32', '-j', 'RETURN'],
    ['OUTPUT', ...to(OUTBOUND)],
  ]
  for (const [chain, ...rule] of rules) namespace!.exec('iptables', '-t', 'nat', '-A', chain, '-p', 'tcp', ...rule)
}

const address = (ip: string, port: number) => ({ socket_address: { address: ip, port_value: port } })

/** The original destination, before redirection. */
const originalDestination = (name: string) => ({ name, type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' })

function cluster(name: string, pod: string): object {
  const [ip = '', port] = pod.split(':')
  const endpoint = { endpoint: { address: address(ip, Number(port)) } }
  return { name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] } }
}

/** Passes the client certificate's details to the application. */
const CLIENT_TOLD = {
  forward_client_cert_details: 'APPEND_FORWARD',
  set_current_client_cert_details: { subject: true },
}

function listener(name: string, port: number, hosts: object[], tls: object | null): object {
  const manager = {
    '@type': `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: { virtual_hosts: hosts },
    ...(tls === null ? {} : CLIENT_TOLD),
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${EXTENSIONS}.filters.http.router.v3.Router` } },
    ],
  }
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager }
  return {
    name,
    address: address('0.0.0.0', port),
    listener_filters: [
      {
        name: 'envoy.filters.listener.original_dst',
        typed_config: { '@type': `${EXTENSIONS}.filters.listener.original_dst.v3.OriginalDst` },
      },
    ],
    filter_chains: [{ filters: [filter], ...(tls === null ? {} : { transport_socket: tls }) }],
  }
}
