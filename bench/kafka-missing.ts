/** What the benchmarks that run a broker need of this machine. */
import { fetchKafka } from '../rig/kafka-jars.ts'
import { inPath } from './programs.ts'
import type { Missing } from './report.ts'

/** Programs, by the name under which they are installed. */
const PROGRAMS: Readonly<Record<string, string>> = { java: 'java', mvn: 'Maven', openssl: 'openssl', kcat: 'kcat' }

/** Why no broker can run here, or null. Fetches Kafka unless it is present. */
export function kafkaMissing(what: string): Missing | null {
  for (const [program, name] of Object.entries(PROGRAMS)) {
    if (!inPath(program)) return { what, why: `install ${name}` }
  }
  const unfetched = fetchKafka()
  return unfetched === null ? null : { what, why: unfetched }
}
