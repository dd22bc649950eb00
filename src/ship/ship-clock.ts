/** The shipper's clock, for ages and deadlines: monotonic, whole milliseconds. */
export const shipClock = (): number => Math.floor(performance.now())
