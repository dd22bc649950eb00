/** Numbers of IPv4's Protocol and IPv6's Next Header field (IANA Protocol Numbers). */

export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17

const HOP_BY_HOP = 0
export const ROUTING = 43
export const FRAGMENT_HEADER = 44
/** In IPv4 too (RFC 4302 §3.1.1). */
export const AUTHENTICATION = 51
export const DESTINATION = 60
const MOBILITY = 135
export const HIP = 139
export const SHIM6 = 140

/** Whether it is an IPv6 extension header that may precede TCP. */
export const isExtensionHeader = (next: number): boolean =>
  next === HOP_BY_HOP ||
  next === ROUTING ||
  next === FRAGMENT_HEADER ||
  next === AUTHENTICATION ||
  next === DESTINATION ||
  next === MOBILITY ||
  next === HIP ||
  next === SHIM6
