/**
 * Apache Kafka's JARs from Maven Central (kafka/pom.xml), fetched once into `.cache/kafka`.
 *
 *     node dist/rig/kafka-jars.js
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildOnce, reportBuild } from './built-once.ts'
import { CACHE, ROOT } from './root.ts'

const POM = join(ROOT, 'rig', 'kafka', 'pom.xml')

/** The folder with the JARs, once they are fetched. */
export const KAFKA_JARS = join(CACHE, 'kafka', 'libs')

/** Kafka's classes as the JVM keeps them in memory (JEP 350): with it a broker starts in 60 % of the CPU time. */
export const KAFKA_CLASSES = join(CACHE, 'kafka', 'classes.jsa')

/** The folder of a broker that has never run, once it is made (kafka.ts). */
export const NEW_BROKER = join(CACHE, 'kafka', 'broker')

/** Fetches the JARs where they are missing. @returns null, or the reason why they cannot be fetched */
export const fetchKafka = (): string | null => buildOnce(KAFKA_JARS, fetch)

function fetch(folder: string): string | null {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]
  const run = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], { encoding: 'utf8' })
  if (run.status === 0) return null
  return `Kafka's JARs cannot be fetched: ${run.error?.message ?? run.stdout.trim().split('\n')[0]}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) reportBuild(fetchKafka())
