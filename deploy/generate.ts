/** Writes the generated files of deploy/: `npm run generate`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fetchKubeTools } from '../rig/kube-tools.ts'
import { ROOT } from '../rig/root.ts'
import { chartReadmeFile, kustomizeBase, plainManifests, valuesSchema } from './generated.ts'

const missing = fetchKubeTools()
if (missing !== null) throw new Error(missing)

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), text)
}

// The schema first: Helm validates values with it when it renders.
for (const [path, text] of valuesSchema()) write(path, text)
for (const [path, text] of [...chartReadmeFile(), ...plainManifests(), ...kustomizeBase()]) write(path, text)
