/** Some 40,000 frames of made-up conversations; `npm run fuzz` runs more of them. */
import { test } from 'node:test'
import { holdToLaws } from './laws.ts'

/** A different seed in each run; a failure names the one that repeats it: `npm run fuzz -- --seed SEED`. */
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000)
const FRAMES = 40_000

test(`laws: ${FRAMES} frames from seed ${SEED} on make no wrong pair`, () => {
  holdToLaws(SEED, FRAMES)
})
