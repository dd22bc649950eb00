/** Modules of kafkajs that have no types. Those who import one state what they use of it. */
declare module 'kafkajs/src/*' {
  const exported: unknown
  export = exported
}
