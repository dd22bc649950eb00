/** The services of deploy/compose.yaml, for tests that run them without Docker. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from '../../rig/root.ts'

export interface Service {
  image: string
  command: string[]
  entrypoint?: string[]
  networks?: Record<string, { ipv4_address: string }>
  environment: Record<string, string>
  cap_add?: string[]
  cap_drop?: string[]
  security_opt?: string[]
  read_only?: boolean
  user?: string
  volumes?: string[]
}

export interface ComposeFile {
  services: Record<'kafka' | 'agent' | 'shop' | 'customer' | 'tail', Service>
  networks: { shop: { driver_opts: Record<string, string> } }
}

export const readCompose = (): ComposeFile =>
  parse(readFileSync(join(ROOT, 'deploy/compose.yaml'), 'utf8'), { merge: true }) as ComposeFile

/** The arguments with which a service starts shop.mjs, without the address at the end. */
export function shopCommand({ entrypoint = [], volumes = [] }: Service, address: string): string[] {
  const script = join(ROOT, 'deploy', volumes[0]?.split(':')[0] ?? '')
  return [script, entrypoint[2] ?? '', address]
}
