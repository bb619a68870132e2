// Regular expressions mean in Flow what they mean in Node: random patterns on random texts, and what each gives. Patterns
// that Node refuses must be refused with the same words.
// regex.mjs <regexes binary> [seed] [count]
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const [binary, seedText = '1', countText = '100000'] = process.argv.slice(2)

const table = new URL('../../flow/src/regex/unicode.txt', import.meta.url)
const [unicode] = process.versions.unicode.split('.')
if (!readFileSync(table, 'utf8').startsWith(`unicode ${unicode}\n`)) {
  console.log(`flow/src/regex/unicode.txt is not of Unicode ${unicode}, as this Node is: run unicode.mjs`)
  process.exit(1)
}

// mulberry32: the same cases for the same seed everywhere.
let seed = Number(seedText) | 0
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % below
}
const pick = (list) => list[random(list.length)]
const some = (make, most) => Array.from({ length: random(most + 1) }, make).join('')

// Letters that case, words and pairs treat in ways of their own.
const LETTERS = [
  'a', 'b', 'c', 'a', 'b', 'A', 'B', 'k', 's', 'S', 'K', '0', '1', '7', '9', '_', '-', ' ', '\n', '\r', '\u2028', '\u00a0',
  '\u017f', '\u212a', '\u00df', '\u1e9e', '\u00e5', '\u00c5', '\u212b', '\u03c3', '\u03c2', '\u03a3', '\u03b8', '\u03d1', '\u03f4',
  '\u0130', '\u0131', '\u01c5', '\u01c4', '\u01c6', '\u1c80', '\u0432', '\u10d0', '\u1c90', '\ufeff', '\u0345', '\u0399', '\u1fbe',
  '\u{1f600}', '\u{10400}', '\u{10428}', '\ud83d', '\ude00', '\u{1e900}', '\u{1e922}', '\uab70', '\u13a0', '\u1fd3', '\u0390',
]
const PLAIN = ['a', 'b', 'c', 'a', 'b', 'A', 'B', 'a', 'b', '1', ' ', '\n', '-', 'k', 's']
const SYNTAX = [...'()[]{}|*+?.^$\\,:=!<>-/', '(?:', '(?=', '(?!', '(?<=', '(?<!', '(?<a>', '\\k<a>', '\\k', '{2}', '{1,', '{2,1}', '\\u', '\\x', '\\c', '\\p{L}', '\\1', '\\08', '[^', '(?i:', '(?']
const ESCAPES = [
  '\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '\\t', '\\n', '\\0', '\\x41', '\\x6b', '\\u0061', '\\u{61}', '\\u{1F600}', '\\ud83d\\ude00', '\\ud83d',
  '\\ude00', '\\cA', '\\c1', '\\c', '\\e', '\\a', '\\-', '\\/', '\\.', '\\]', '\\08', '\\7', '\\12', '\\377', '\\400', '\\8', '\\x4', '\\u00', '\\u{',
  '\\p{Lu}', '\\P{Ll}', '\\p{Script=Greek}', '\\p{L}', '\\p{Nonsense}', '\\P{Any}', '\\p{ASCII}', '\\p', '\\k', '\\u017f', '\\u212a', '\\K',
]
const letter = () => (random(4) ? pick(PLAIN) : pick(LETTERS))

function classItem() {
  const item = () => (random(4) ? letter() : pick([...ESCAPES, '\\b', '\\B']))
  return random(4) ? item() : `${item()}-${item()}`
}

let groups
function pattern(depth) {
  const choices = Array.from({ length: 1 + (random(3) ? 0 : random(3)) }, () => some(() => term(depth), 4))
  return choices.join('|')
}

function term(depth) {
  const forms = [
    letter,
    letter,
    () => '.',
    () => pick(ESCAPES),
    () => `[${random(4) ? '' : '^'}${some(classItem, 3)}]`,
    () => pick(['^', '$', '\\b', '\\B']),
    () => `\\${1 + random(groups + 1)}`,
    () => pick(['\\k<a>', '\\k<b>', '\\2', '\\1']),
  ]
  if (depth > 0) {
    const group = () => {
      const open = pick(['(', '(', '(', '(?:', '(?=', '(?!', '(?<=', '(?<!', '(?<a>', '(?<b>'])
      if (open === '(' || open === '(?<a>' || open === '(?<b>') groups++
      return `${open}${pattern(depth - 1)})`
    }
    forms.push(group, group, group)
  }
  let made = pick(forms)()
  if (random(3) === 0) made += pick(['*', '+', '?', '{2}', '{1,}', '{0,2}', '{1,3}', '{0}', '{2,3}', '*', '+', '?']) + pick(['', '', '?'])
  return made
}

function makePattern() {
  groups = 0
  if (random(12) === 0) return some(() => (random(2) ? pick(SYNTAX) : letter()), 8)
  let made = pattern(3)
  if (random(25) === 0) {
    const at = random(made.length + 1)
    made = made.slice(0, at) + pick(SYNTAX) + made.slice(at)
  }
  return made
}

const hex = (text) => Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16).padStart(4, '0')).join('')

function inNode({ source, flags, text, from }) {
  let made
  try {
    made = new RegExp(source, flags + (flags.includes('y') ? 'd' : 'dg'))
  } catch (error) {
    const head = `Invalid regular expression: /${source}/${flags}${flags.includes('y') ? 'd' : 'dg'}: `
    // `d` and `g` are listed in the order in which they were given.
    return '! ' + (error.message.startsWith(head) ? error.message.slice(head.length) : error.message.replace(/^.*: /s, ''))
  }
  made.lastIndex = from
  const found = made.exec(text)
  if (!found) return '-'
  return found.indices.map((place) => (place ? place.join(',') : 'x')).join(' ')
}

const count = Number(countText)
const started = Date.now()
const told = { refused: 0, none: 0, found: 0, limit: 0 }
let wrong = 0
for (let done = 0; done < count; ) {
  const batch = []
  while (batch.length < 20000 && done + batch.length < count) {
    const source = makePattern() || '(?:)'
    const flags = pick(['', '', '', 'u', 'u']) + pick(['', '', 'i']) + pick(['', '', '', 'm']) + pick(['', '', '', 's']) + pick(['', '', '', '', 'y'])
    for (let texts = 0; texts < 3; texts++) {
      const text = some(letter, 12)
      batch.push({ source, flags, text, from: random(4) ? 0 : random(text.length + 2) })
    }
  }
  const input = batch.map(({ source, flags, text, from }) => `${hex(source)}\t${flags}\t${hex(text)}\t${from}\n`).join('')
  const { stdout, status } = spawnSync(binary, { input, encoding: 'utf8', maxBuffer: 1 << 30 })
  if (status !== 0) throw new Error(`the engine ended with ${status}`)
  const answers = stdout.split('\n')
  batch.forEach((one, at) => {
    const flow = answers[at]
    const node = inNode(one)
    if (flow.startsWith('!')) told.refused++
    else if (flow === '-') told.none++
    else if (flow === 'limit') told.limit++
    else told.found++
    if (flow === node || flow === 'limit') return
    if (wrong++ < 20) console.log(`${JSON.stringify(one)}\n  Flow ${flow}\n  Node ${node}`)
  })
  done += batch.length
}
const seconds = (Date.now() - started) / 1000
console.log(`${JSON.stringify(told)}, ${Math.round(count / seconds)} a second`)
console.log(`${count - wrong} passed, ${wrong} failed`)
process.exit(wrong ? 1 : 0)
