/** Waits for `ms` milliseconds; keeps the process alive meanwhile. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
