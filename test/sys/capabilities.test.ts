import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'

const MODULE = new URL('../../src/sys/capabilities.js', import.meta.url).href
const PROGRAM = `
  const { hasCapability } = await import('${MODULE}')
  console.log(['CAP_NET_RAW', 'CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'].filter(hasCapability).join())`

test('capabilities: those of the effective set, whatever the user is', {
  skip: needs('linux', 'root', 'setpriv'),
}, () => {
  for (const held of ['net_raw', 'sys_ptrace', 'sys_admin', 'net_raw,+sys_admin']) {
    const bounding = `--bounding-set=-all,+${held}`
    const node = [process.execPath, '--input-type=module', '--eval', PROGRAM]
    const { stdout } = spawnSync('setpriv', [bounding, ...node], { encoding: 'utf8' })
    assert.equal(
      stdout.trim(),
      held
        .split(',+')
        .map((name) => `CAP_${name.toUpperCase()}`)
        .join(),
    )
  }
})
