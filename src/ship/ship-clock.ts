/**
 * The shipper's clock, for ages and deadlines: monotonic, whole milliseconds. Every thread reads the same time, so that
 * ages outlive a shipper.
 */
export function shipClock(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + Math.floor(nanoseconds / 1e6)
}
