/** Functions that proof.ts calls to end exchanges, as imports of the program: a test records the calls. */
import { Exchange } from '../../../../src/assemble/core/http1/connection'

export declare function emit(exchange: Exchange): void
export declare function abandon(exchange: Exchange, reason: i8): void
export declare function settle(exchange: Exchange): void
