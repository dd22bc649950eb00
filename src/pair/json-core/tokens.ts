/** Input that must come next, and its JSON: mostly keys, which are half of a small pair. */
import { copyShort } from '../../wasm/copy'
import { equal } from '../../wasm/equal'
import { Input, Output } from './buffers'

/** Addresses and lengths of both forms, each followed by slack. */
@unmanaged
export class Token {
  packed: usize
  packedBytes: usize
  json: usize
  jsonBytes: usize
}

/** Bytes that a step of 16 may read past the end. */
const SLACK: usize = 16

/** @param packed a character for each byte, at least one */
export function makeToken(json: string, packed: string): Token {
  const token = changetype<Token>(heap.alloc(offsetof<Token>()))
  token.packed = bytesOf(packed)
  token.packedBytes = packed.length
  token.json = bytesOf(json)
  token.jsonBytes = json.length
  return token
}

/** A token for `text` in both forms: a string of at most 31 characters of ASCII, which is a key between two values in JSON. */
export function key(text: string): Token {
  return makeToken(`,"${text}":`, name(text))
}

/** The packed form of such a string. */
export function name(text: string): string {
  return String.fromCharCode(0xa0 | text.length) + text
}

/** The packed header of a map of at most 15 entries. */
export function mapOf(size: i32): string {
  return String.fromCharCode(0x80 | size)
}

/** The packed header of an array of at most 15 items. */
export function arrayOf(size: i32): string {
  return String.fromCharCode(0x90 | size)
}

/** The address of the characters' low bytes. */
export function bytesOf(text: string): usize {
  const at = heap.alloc(<usize>text.length + SLACK)
  for (let i = 0; i < text.length; i++) store<u8>(at + i, <u8>text.charCodeAt(i))
  return at
}

/** Writes a token's JSON, if the token comes next. */
export function token(token: Token): bool {
  if (Input.at >= Input.end || !equal(Input.at, token.packed, token.packedBytes)) return false
  Input.at += token.packedBytes
  return put(token.json, token.jsonBytes)
}

/** Writes bytes that have slack behind them. */
export function put(from: usize, length: usize): bool {
  copyShort(Output.at, from, length)
  Output.at += length
  return true
}

/** Writes one character of ASCII. */
export function putCharacter(character: u8): bool {
  store<u8>(Output.at++, character)
  return true
}
