/** Finds the rule that filters a request by its head, its connection's ends and vantage, before anything of it is stored. */
import { RULE_INCLUDE, RULE_NONE, RULE_VANTAGE } from '../../ledger/reasons.ts'
import type { Filter } from '../filter.ts'
import type { Arena } from '../memory/arena.ts'
import type { Flow } from '../tcp/flow.ts'
import { LEAVE_OUT, type Vantages } from '../vantage/vantage.ts'
import type { MessageHead } from './message-head.ts'

export class RequestRules {
  readonly #arena: Arena
  readonly #head: MessageHead
  readonly #filter: Filter
  readonly #vantages: Vantages

  /** @param head the scanned head of the request at hand */
  constructor(arena: Arena, head: MessageHead, filter: Filter, vantages: Vantages) {
    this.#arena = arena
    this.#head = head
    this.#filter = filter
    this.#vantages = vantages
  }

  /** The RULE_ value of the rule that filters the request at hand, or RULE_NONE. @param flow of its connection */
  ruleOf(flow: Flow): number {
    const head = this.#head
    // A sidecar hides the server: the Host of the first request shows whether it is inside the cluster.
    if (flow.hostPending && this.#vantages.judgeHost(flow, head.hostField()) === LEAVE_OUT) flow.rule = RULE_VANTAGE
    if (head.rule !== RULE_NONE) return head.rule
    const rule = this.#filter.target(this.#arena.bytes, head.secondStart, head.secondEnd)
    if (rule !== RULE_NONE) return rule
    if (flow.rule !== RULE_NONE) return flow.rule
    return this.#isIncluded(flow) ? RULE_NONE : RULE_INCLUDE
  }

  /** Whether the request is on the lists of `filter.include` that its head and its ends decide. */
  #isIncluded(flow: Flow): boolean {
    const { include } = this.#filter
    const { bytes } = this.#arena
    const head = this.#head
    if (include.hasRequestRules) {
      if (!include.method(bytes, head.firstStart, head.firstEnd)) return false
      if (!include.target(bytes, head.secondStart, head.secondEnd)) return false
      if (include.hasHosts && !head.hostListed) return false
    }
    return !include.hasPods || this.#vantages.podsAre(flow, include)
  }
}
