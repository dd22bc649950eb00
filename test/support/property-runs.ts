/**
 * How many examples property tests try: few in each run, because the seed differs each time; all with TEST_THOROUGH=1.
 */

const SHARE = process.env['TEST_THOROUGH'] === '1' ? 1 : 1 / 4

/** @param thorough number of examples with TEST_THOROUGH=1. @returns the number for this run */
export const propertyRuns = (thorough: number): number => Math.ceil(thorough * SHARE)
