// The comparison itself: `node --test`. A comparison that never fails says nothing.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compare } from './compare.mjs'

const verdict = (node, flow) => compare(node, flow).verdict

test('answers that are the same agree', () => {
  assert.equal(verdict('result 1\na\nb', 'result 1\na\nb'), 'agreed')
  assert.equal(verdict('result 1\nTypeError: Flow cannot', 'result 1\nTypeError: Flow cannot'), 'agreed')
  assert.equal(verdict('result 1\na%20b', 'result 1\na b'), 'blurred')
})

test('other ends, other lines and missing lines are told', () => {
  assert.equal(verdict('result 1\na', 'result 2\na'), 'disagreed')
  assert.equal(verdict('result 1\na', 'result 1\nb'), 'disagreed')
  assert.equal(verdict('result 1\na\nb', 'result 1\na'), 'disagreed')
  assert.equal(verdict('result 1', 'result 1\u0001saved\u0001result 2'), 'disagreed')
})

test('words of V8 hide no more than themselves', () => {
  assert.equal(verdict('result 1\n"a" 1 "x is not iterable"', 'result 1\n"b" 2 "y is not iterable"'), 'disagreed')
  assert.equal(verdict('result 1\n"x is not iterable"', 'result 1\n"y is not a function or its return value is not iterable"'), 'blurred')
  assert.equal(verdict('result 1\n"5 is not iterable"', 'result 1\n"undefined is not iterable"'), 'disagreed')
  assert.equal(verdict('result 1\n"a" 1\n2\n"DataCloneError" "f could not be cloned."', 'result 1\n"b" 7\n2\n"DataCloneError" "g could not be cloned."'), 'disagreed')
  assert.equal(verdict('result 1\n"a" "f could not be cloned."', 'result 1\n"a" "function could not be cloned."'), 'blurred')
})

test('what was logged in front of a refusal is compared', () => {
  const refused = 'throws TypeError: Flow cannot freeze a map.'
  assert.equal(verdict('result 1\na\nb', `${refused}\na`), 'skipped')
  assert.equal(verdict('result 1\nx\nb', `${refused}\na`), 'disagreed')
  assert.equal(verdict('result 1', `${refused}\na`), 'disagreed')
  assert.equal(verdict('result 1\na\nb\nc', 'result 1\na\nTypeError: no such thing in Flow\nx'), 'skipped')
  assert.equal(verdict('result 1\nx\nb\nc', 'result 1\na\nTypeError: no such thing in Flow\nx'), 'disagreed')
})

/** Runs main.mjs beside a program that says the same of all others. */
function beside(says, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'differential-'))
  const fake = join(folder, 'runs')
  writeFileSync(
    fake,
    `#!${process.execPath}
let rest = Buffer.alloc(0)
process.stdin.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk])
  for (;;) {
    const line = rest.indexOf(10)
    const length = Number(rest.toString('latin1', 0, line))
    if (line < 0 || rest.length < line + 1 + length) break
    rest = rest.subarray(line + 1 + length)
    process.stdout.write('${says.length}\\n${says}')
  }
})
`,
  )
  chmodSync(fake, 0o755)
  try {
    return spawnSync(process.execPath, [new URL('main.mjs', import.meta.url).pathname, fake, ...options], { encoding: 'utf8' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a run that compares next to nothing fails', () => {
  const done = beside('limit', '--n', '100')
  assert.match(done.stdout, /0 agree, 0 agree but for words, 100 not compared to the end, 0 disagree/)
  assert.match(done.stdout, /only 0 of 100 programs were compared/)
  assert.equal(done.status, 1)
  assert.equal(beside('limit', '--n', '3').status, 0)
})
