import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_OPEN } from '../../../src/assemble/preamble/preamble.ts'
import { SocksHandshake } from '../../../src/assemble/preamble/socks-handshake.ts'
import { bytes } from './bytes.ts'

/** What the two sides send alternately; the client begins. */
type Turns = readonly string[]

const REQUEST = '\x05\x01\x00\x01\x0a\x00\x00\x05\x00\x50'
const REPLY = '\x05\x00\x00\x01\x0a\x00\x00\x05\x1f\x90'
const NAME = 'n'.repeat(255)

/** One instance for all tests, as in production, so that state left by one handshake would show in the next. */
const handshake = new SocksHandshake()

/** @returns the state after all turns in pieces, and the bytes behind the handshake in the last one */
function play(turns: Turns, size: number): { state: number; rest: number } {
  handshake.reset()
  let rest = 0
  for (const [turn, text] of turns.entries()) {
    const data = bytes(text)
    for (let at = 0; at < data.length; at += size) {
      const end = Math.min(at + size, data.length)
      rest = end - handshake.data(data, at, end, turn % 2 === 0)
    }
  }
  return { state: handshake.state, rest }
}

const granted: [name: string, turns: Turns][] = [
  ['version 5 without authentication', ['\x05\x01\x00', '\x05\x00', REQUEST, REPLY]],
  ['version 5 with a password', ['\x05\x02\x00\x02', '\x05\x02', '\x01\x01u\x02pw', '\x01\x00', REQUEST, REPLY]],
  ['empty names', ['\x05\x01\x02', '\x05\x02', '\x01\x00\x00', '\x01\x00', REQUEST, REPLY]],
  [
    'the longest names of version 5',
    [
      '\x05\xff'.padEnd(257, '\x02'),
      '\x05\x02',
      `\x01\xff${NAME}\xff${NAME}`,
      '\x01\x00',
      `\x05\x01\x00\x03\xff${NAME}\x00\x50`,
      `\x05\x00\x00\x03\xff${NAME}\x00\x50`,
    ],
  ],
  [
    'version 5 over IPv6',
    ['\x05\x01\x00', '\x05\x00', `\x05\x01\x00\x04${'6'.repeat(18)}`, `\x05\x00\x00\x04${'6'.repeat(18)}`],
  ],
  ['version 4', ['\x04\x01\x00\x50\x0a\x00\x00\x05me\0', '\0\x5a\x00\x00\x00\x00\x00\x00']],
  ['version 4a', ['\x04\x01\x00\x50\x00\x00\x00\x05\0api.example\0', '\0\x5a\x00\x00\x00\x00\x00\x00']],
  ['the longest names of version 4a', [`\x04\x01\x00\x50\x00\x00\x00\x05${NAME}\0${NAME}\0`, '\0\x5a      ']],
]

const refused: [name: string, turns: Turns][] = [
  ['no acceptable method', ['\x05\x01\x00', '\x05\xff']],
  ['GSSAPI', ['\x05\x01\x01', '\x05\x01']],
  ['a wrong password', ['\x05\x01\x02', '\x05\x02', '\x01\x01u\x01p', '\x01\x01']],
  ['a host that is not reachable', ['\x05\x01\x00', '\x05\x00', REQUEST, `\x05\x04${REPLY.slice(2)}`]],
  ['BIND', ['\x05\x01\x00', '\x05\x00', `\x05\x02${REQUEST.slice(2)}`]],
  ['UDP ASSOCIATE', ['\x05\x01\x00', '\x05\x00', `\x05\x03${REQUEST.slice(2)}`]],
  ['an unknown kind of address', ['\x05\x01\x00', '\x05\x00', '\x05\x01\x00\x02\x0a']],
  ['a reply without a request', ['\x05\x01\x00', `\x05\x00${REPLY}`]],
  ['a server that speaks first', ['', '\x05\x00']],
  ['a client that sends on before the reply', ['\x05\x01\x00', '\x05\x00', `${REQUEST}G`]],
  ['version 4, rejected', ['\x04\x01\x00\x50\x0a\x00\x00\x05\0', '\0\x5b']],
  ['version 4, BIND', ['\x04\x02']],
  ['version 4, a name without an end', [`\x04\x01\x00\x50\x0a\x00\x00\x05${NAME.repeat(3)}`]],
  ['another version', ['\x06\x01\x00']],
]

describe('SocksHandshake', () => {
  for (const [name, turns] of granted) {
    test(`ends with the reply that grants the connection, in any pieces: ${name}`, () => {
      const longest = Math.max(...turns.map(({ length }) => length))
      for (let size = 1; size <= longest; size++) {
        assert.equal(play(turns.slice(0, -1), size).state, PREAMBLE_OPEN)
        assert.deepEqual(play(turns, size), { state: PREAMBLE_DONE, rest: 0 }, `pieces of ${size}`)
      }
    })
  }

  test('leaves the bytes after the reply', () => {
    assert.deepEqual(play(['\x05\x01\x00', '\x05\x00', REQUEST, `${REPLY}220`], 99), { state: PREAMBLE_DONE, rest: 3 })
  })

  for (const [name, turns] of refused) {
    test(`rejects ${name}`, () => {
      for (const size of [1, 1000]) assert.equal(play(turns, size).state, PREAMBLE_INVALID)
    })
  }
})
