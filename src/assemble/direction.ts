/** Which of a connection's two streams: the endpoint that sorts lower sends on stream 0 (core/tcp/flow-table.ts). */
export type Direction = 0 | 1
