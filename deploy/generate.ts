/** Writes what is generated from the chart and the program's configuration: `node dist/deploy/generate.js` after a build. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fetchKubeTools, ROOT } from '../test/support/kube-tools.ts'
import { kustomizeBase, plainManifests, valuesSchema } from './generated.ts'

const missing = fetchKubeTools()
if (missing !== null) throw new Error(missing)

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), text)
}

// The schema goes first: helm reads it when it renders.
for (const [path, text] of valuesSchema()) write(path, text)
for (const [path, text] of [...plainManifests(), ...kustomizeBase()]) write(path, text)
