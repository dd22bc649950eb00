/** A promise and the function that resolves it. */
export interface Resolvers<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

/** Does what `Promise.withResolvers` of ES2024 does, which Node.js 20 lacks. */
export function withResolvers<T>(): Resolvers<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
