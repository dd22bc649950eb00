/** What each counter of the ledger means. Generated from docs/ledger.md by `npm run generate`. */

/** By the counter's path. */
export const MEANINGS: Readonly<Record<string, string>> = {
  'frames.seen': 'frames that the source delivered',
  'frames.queued': 'packets passed to an assembler',
  'frames.kernelDropped':
    'frames that the kernel dropped because its ring was full (not part of frames.seen). Raise capture.ringBytes or narrow the filter',
  'frames.kernelShed':
    "frames of connections that the kernel's filter shed under overload, so that the others are complete (not part of frames.seen). An estimate from a sample of one in 256",
  'frames.skipped.nonTcp': 'not IP, or IP but not TCP',
  'frames.skipped.filter':
    'rejected by capture.filter (read --filter); live capture rejects them in the kernel and does not see them',
  'frames.skipped.linkType': 'of a link type, or with a link-layer header, that is not supported',
  'frames.skipped.malformed':
    'with headers that are truncated or contradict each other; or reassembled from fragments, with a wrong TCP checksum',
  'frames.skipped.fragment':
    'a fragment that became part of a reassembled packet. The packet is queued in place of its last fragment',
  'frames.dropped.ring': 'the ring to the assembler was full (live capture only; file input waits)',
  'frames.dropped.shed': 'of connections shed under overload, so that the others are complete (live capture only)',
  'frames.dropped.oversize': 'larger than a packet can be (512 KiB plus headers)',
  'frames.dropped.fragment': 'fragments dropped: not complete within 30 s, or more than 64 datagrams at once',
  'frames.dropped.crash': 'being processed by a capture worker when it crashed',
  'frames.consumed': 'packets that an assembler has read',
  'frames.lost.crash':
    'packets that an assembler had read from its ring, and had not processed, when it crashed or stopped responding; and those left in the ring of an assembler that could not be restarted',
  'frames.lost.shutdown': 'packets left in a ring when the run was stopped before it was drained',
  'frames.truncated': 'truncated by a snap length within the TCP payload. The missing bytes become a gap',
  'bytes.captured': 'bytes of all frames seen',
  'interfaces.lost': 'times a captured interface went down or was deleted',
  'interfaces.back': 'times such an interface came back',
  'interfaces.opened': 'captures started, one per interface and start',
  'interfaces.closed': 'captures ended',
  'interfaces.openFailed.gone': 'not captured because the pod or its interface was deleted before it could be opened',
  'interfaces.openFailed.denied': 'not captured because a capability is missing; the log names it',
  'interfaces.openFailed.refused':
    'not captured because the kernel refused, for example for lack of memory for the ring, or because too many interfaces are captured',
  'flows.seen': 'TCP connections, both directions counted as one',
  'flows.open': 'connections tracked now',
  'flows.midstream': 'of those seen, the ones first seen after their handshake',
  'flows.removedEarly':
    'of those closed, the ones that were removed within 10 s for lack of room, so that late segments of them may count as new connections',
  'flows.oneDirection': 'of those closed, the ones that carried data but of which only one direction was captured',
  'flows.closed.fin': 'closed by both sides',
  'flows.closed.reset': 'reset by a RST that its receiver accepts',
  'flows.closed.idle': 'no segment for limits.idleTimeout',
  'flows.closed.evicted': 'evicted because a bound such as limits.flows was reached',
  'flows.closed.superseded': 'a new connection began with the same addresses and ports',
  'flows.closed.interfaceGone': 'the interface was deleted',
  'flows.closed.ended': 'the input ended',
  'flows.closed.crash': 'the assembler crashed',
  'flows.leftOut.view':
    'HTTP connections whose pairs another capture point emits (targets.keep); their messages are not counted',
  'flows.leftOut.forwarded':
    "connections on the host's interfaces that the host only forwards; their messages are not counted",
  'flows.protocol.http1': 'HTTP/1.0 or 1.1',
  'flows.protocol.tls': 'TLS: encrypted, not read',
  'flows.protocol.http2': 'HTTP/2 without TLS: not read',
  'flows.protocol.tunnel':
    'became a CONNECT tunnel; also counted as http1. What the tunnel carries is not counted here',
  'flows.protocol.upgraded': 'were upgraded (101), for example to WebSocket',
  'flows.protocol.other': 'not HTTP',
  'segments.seen': 'TCP segments',
  'segments.outOfOrder': 'held until the bytes before them arrived',
  'segments.duplicate': 'contained nothing new',
  'segments.noRoom':
    "arrived behind a hole while the assembler's pool was full of what cannot be evicted. Their bytes become gaps",
  'segments.afterEnd':
    'of a connection, or a direction of one, that has ended: the last acknowledgement, late copies, answers to a reset',
  'segments.inexactReset':
    'RSTs whose sequence number is not exactly the next one: their receivers do not accept them (RFC 5961)',
  'segments.signature':
    'with a TCP-MD5 or TCP-AO signature that the connection does not use, or without the one that it uses: their receivers drop them',
  'segments.ignored':
    'with damaged headers; acknowledgements without data and resets that belong to no tracked connection; SYNs on an open connection; segments over 64 MiB ahead of what was captured and acknowledged, once waiting is over; data that live capture left out because its connection, which has been closed since, carried no HTTP/1',
  'gaps.acked': 'holes whose bytes the receiver acknowledged: not captured, and never sent again',
  'gaps.bound': 'holes that became gaps because 1 MiB, or 16,384 segments, were held behind them',
  'gaps.expired': 'holes not acknowledged within 30 s',
  'gaps.evicted': "holes that became gaps, the oldest first, because the assembler's pool was full",
  'gaps.ended': 'holes still open when the connection ended',
  'bytes.payload': 'TCP payload, retransmissions included',
  'bytes.gap': 'bytes missing in gaps',
  'bytes.http': 'bytes of HTTP messages',
  'messages.requests': 'requests whose head was complete',
  'messages.responses': 'final responses whose head was complete',
  'messages.interim': '1xx responses other than 101; never part of a pair',
  'requests.waiting': 'requests without an outcome so far',
  'requests.abandoned.timeout': 'no response within limits.responseTimeout, or the connection was idle too long',
  'responses.orphaned.timeout': 'no response within limits.responseTimeout, or the connection was idle too long',
  'requests.abandoned.gap': 'part of the message, or of the proof of the match, was lost',
  'responses.orphaned.gap': 'part of the message, or of the proof of the match, was lost',
  'requests.abandoned.reset':
    'the connection was reset before the exchange was complete; a response after a RST that its receiver ignored',
  'responses.orphaned.reset':
    'the connection was reset before the exchange was complete; a response after a RST that its receiver ignored',
  'requests.abandoned.closed': 'the connection was closed before the exchange was complete',
  'responses.orphaned.closed': 'the connection was closed before the exchange was complete',
  'requests.abandoned.oversize': 'a message exceeded limits.messageBytes on the wire; its pair is left out',
  'responses.orphaned.oversize': 'a message exceeded limits.messageBytes on the wire; its pair is left out',
  'requests.abandoned.doubtful': 'the match, or the end of a message, cannot be proved (pairing)',
  'responses.orphaned.doubtful': 'the match, or the end of a message, cannot be proved (pairing)',
  'requests.abandoned.evicted':
    'limits.memory, limits.flows, or 4,096 outstanding requests of one connection was reached',
  'responses.orphaned.evicted':
    'limits.memory, limits.flows, or 4,096 outstanding requests of one connection was reached',
  'requests.abandoned.superseded': 'a new connection began with the same addresses and ports',
  'responses.orphaned.superseded': 'a new connection began with the same addresses and ports',
  'requests.abandoned.interfaceGone': 'the interface was deleted',
  'responses.orphaned.interfaceGone': 'the interface was deleted',
  'requests.abandoned.ended': 'the input ended first',
  'responses.orphaned.ended': 'the input ended first',
  'requests.abandoned.crash': 'the assembler crashed',
  'responses.orphaned.crash': 'the assembler crashed',
  'responses.orphaned.noRequest':
    'the request was not captured: it preceded the capture, or only one direction is seen',
  'pairs.assembled': 'requests with their response',
  'pairs.kept': 'assembled pairs that no rule filtered',
  'pairs.shipped':
    'written to the output; for Kafka, acknowledged as kafka.acks requires. With none: passed to the connection; a broker that ends loses what it had not read',
  'pairs.queued': 'buffered for the output',
  'bytes.shipped': 'bytes of shipped pairs',
  'pairs.filtered.pairBytes': 'both messages together exceed limits.pairBytes',
  'pairs.filtered.contentType': 'neither message has a media type of filter.contentTypes',
  'pairs.filtered.userAgent': 'excluded by filter.userAgentPrefixes',
  'pairs.filtered.header': 'excluded by filter.requestHeaders',
  'pairs.filtered.status': 'excluded by filter.statuses',
  'pairs.filtered.path': 'excluded by filter.paths',
  'pairs.filtered.include': 'not on a list of filter.include, which --method, --path and similar options set',
  'pairs.filtered.selection': 'not selected by --grep or --where',
  'pairs.filtered.view':
    "a request that leaves a sidecar's pod for a service inside the cluster: the server's side is kept (targets.keep)",
  'pairs.dropped.maxAge': 'buffered for longer than ship.maxAge',
  'pairs.dropped.bufferBytes': 'the oldest in the buffer when ship.bufferBytes was reached',
  'pairs.dropped.rejected': 'the broker rejects the record permanently, or it is too large for the topic',
  'pairs.dropped.ring':
    'the ring to the shipper was full, for example while a shipper that hung is replaced under load (live capture only; file input waits); or the pair is too large for the ring',
  'pairs.dropped.crash':
    'being formatted or encoded by the shipper when it crashed; pairs that wait outlive it, and batches without an acknowledgement are sent again',
  'pairs.dropped.shutdown': 'not shipped before the run was stopped, or beyond the limit of -c',
}
