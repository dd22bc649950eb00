/** Names with wildcards: `*` is any text, also none, and `?` any one character. */

/** @returns whether a whole name matches one of the patterns */
export function globMatcher(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.split('').map(translated).join('')}$`))
  return (name) => expressions.some((expression) => expression.test(name))
}

const translated = (character: string): string =>
  character === '*' ? '.*' : character === '?' ? '.' : character.replace(/[\\^$.|+()[\]{}]/, '\\$&')
