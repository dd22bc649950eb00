/** How many examples property tests try: few in each run, as the seed differs each time; TEST_THOROUGH=1 tries all. */

const SHARE = process.env['TEST_THOROUGH'] === '1' ? 1 : 1 / 4

/** @param thorough how many examples TEST_THOROUGH=1 tries. @returns how many to try now */
export const propertyRuns = (thorough: number): number => Math.ceil(thorough * SHARE)
