/** The cost of a frame in the capture thread, compared with the copy alone. */
import { ratiosOf } from './baseline.ts'
import type { CapturePass } from './capture-pass.ts'
import { runProgram } from './measure.ts'
import { script } from './programs.ts'
import { type Section, whole } from './report.ts'

/** Rounds of some 10 ms, of which the best is undisturbed. */
const ROUNDS = 40

export async function measureCapture(): Promise<Section> {
  const { stdout } = await runProgram([process.execPath, script('capture-pass'), String(ROUNDS)])
  const best = JSON.parse(stdout) as CapturePass
  const { copied, marked, copying } = best
  return {
    title: 'Capture: an MTU frame from the kernel ring into the frame ring, one thread',
    columns: ['', 'ns a frame', 'goal'],
    rows: [
      ['copied', whole(copied), '250'],
      ['of a connection that is marked as opaque: headers alone', whole(marked), '100'],
      ['the copy alone', whole(copying), ''],
    ],
    notes: [],
    data: best,
    ratios: ratiosOf('capture: an MTU frame', { copied, marked, 'the copy alone': copying }, /alone$/),
  }
}
