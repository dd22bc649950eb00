import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocksOf, spansOf } from '../../../scripts/documents/markdown.ts'

const PAGE = `# A page

Text with \`one span\`.

\`\`\`sh
interceptor read  # \`no span\`
\`\`\`

1. A list:

   <!-- not run: it needs a cluster -->
   \`\`\`console
   $ interceptor pods
   5 pods
   \`\`\`

and \`another\`, and \`\`two ticks\`\`.
`

test('markdown: finds blocks with language, place and reason not to run', () => {
  const common = { page: 'page.md' }
  assert.deepEqual(blocksOf('page.md', PAGE), [
    { ...common, line: 6, language: 'sh', notRun: null, indent: '', lines: ['interceptor read  # `no span`'] },
    {
      ...common,
      line: 13,
      language: 'console',
      notRun: 'it needs a cluster',
      indent: '   ',
      lines: ['$ interceptor pods', '5 pods'],
    },
  ])
})

test('markdown: finds code spans outside blocks', () => {
  assert.deepEqual(spansOf(PAGE), [
    { line: 3, code: 'one span' },
    { line: 17, code: 'another' },
  ])
})

test('markdown: reports an unterminated block', () => {
  assert.throws(() => blocksOf('page.md', 'a\n```sh\nb\n'), /page\.md:2: the block has no end/)
})
