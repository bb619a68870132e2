// Flow is strict-mode JavaScript or an error: programs from a generator that is right most of the time, and random
// words. What Flow accepts, Node must be able to compile, wrapped into a strict async function.
// strict.mjs <verdicts binary> [seed] [count]
import { spawnSync } from 'node:child_process'
import vm from 'node:vm'

const [binary, seedText = '1', countText = '20000'] = process.argv.slice(2)
const HEAD = 'let a, b, c, x, f;'

// mulberry32: the same programs for the same seed everywhere.
let seed = Number(seedText) | 0
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) % below
}
const pick = (list) => list[random(list.length)]
const maybe = (make) => (random(2) ? make() : '')

const WORDS = [
  'let ', 'const ', 'function ', 'async ', 'await ', 'return ', 'if(', 'else ', 'for(', 'of ', 'in ', 'while(', 'do ',
  'switch(', 'case ', 'default:', 'break', 'continue', 'throw ', 'try{', '}catch(', '}finally{', 'new Error', 'typeof ',
  'delete ', 'get ', 'static', 'null', 'a', 'b', 'c', 'x', '(', ')', '[', ']', '{', '}', '`', '${', "'s'", ';', ',', '.',
  '...', '?.', '?', ':', '=>', '=', '==', '+=', '??=', '??', '||', '&&', '**', '++', '--', '-', '+', '!', '\n', ' ', '1',
  '017', '.5', '{a}', '[b]', '(a)', '({a})', 'a=1', 'a:1', '<!--', '-->', '/', '/*\n*/', '//\n', '\\u0061', '\\u{62}',
  'eval', 'arguments', 'yield', "'use strict'", 'let', 'of', 'async', 'await', 'a.b', 'a[0]', 'a?.b', 'f()', '=>{}',
  '(a,b)=>', '{}', '[]', '{a=1}', '...a',
]
const LITERALS = ['0x1F', '0b12', '1n', '1.', '1..a', "'\\08'", "'\\x4'", "'\\u{110000}'", '1__0', '0.1e5', '/a/g', '.5', '/[/"]/u', '/(/', '/`}/', '/a{1}/y', '/\\u{1}/u', '/x/gg', '/(?<a>)\\k<a>/', '/=/', '/\\/\'/s']
const INFIX = ['+', '-', '*', '**', '??', '||', '&&', ' in ', ' instanceof ', '<', '>>>', '==', '!==', '%', '\n+', '\n/']
const PREFIX = ['-', '!', 'typeof ', 'void ', 'delete ', 'await ', '++', '--', '~', '\n--']
const ASSIGN = ['=', '+=', '??=', '&&=', '**=', '>>>=']

const name = () =>
  pick(['a', 'b', 'c', 'x', 'a', 'b', 'c', 'x', 'a', 'b', 'async', 'of', 'get', '\\u0061', 'eval', 'let', 'await', 'static'])

function expression(depth) {
  if (depth <= 0) return pick(['a', 'b', '1', "'s'", 'x', 'null', '[]', '{}', '`t`', '017', '1_0', 'a.b'])
  const e = () => expression(depth - 1 - random(2))
  const forms = [
    () => e() + pick(INFIX) + e(),
    () => pick(PREFIX) + e(),
    () => e() + pick(['++', '--', '\n++']),
    () => `(${e()})`,
    () => name() + pick(['=>', '\n=>']) + e(),
    () => `(${parameters(depth - 1)})=>` + pick([e(), `{${statements(depth - 1)}}`]),
    () => pick(['async ', 'async\n']) + pick([`(${parameters(depth - 1)})`, name()]) + '=>' + e(),
    () => `[${pick(['', ',', '...'])}${e()}${pick(['', ',', ',,'])}]`,
    () => `({${property(depth)}${pick([`,${name()}`, ',', ''])}})`,
    () => e() + '.' + pick(['a', 'if', 'b', '#c']),
    () => e() + pick(['?.a', '?.[a]', '?.()', '?.a.b', '?.`x`']),
    () => `${e()}(${pick(['', e(), `...${e()}`, `${e()},`])})`,
    () => `${e()}[${e()}]`,
    () => '`' + pick(['', '\\u0061', '\\1', '$']) + '${' + e() + '}`',
    () => `${e()}?${e()}:${e()}`,
    () => e() + pick(ASSIGN) + e(),
    () => `${target(depth - 1)}=${e()}`,
    () => `function ${maybe(name)}(${parameters(depth - 1)}){${statements(depth - 1)}}`,
    () => `async function(${parameters(depth - 1)}){${statements(depth - 1)}}`,
    () => `new Error(${e()})${pick(['.a', '', '()'])}`,
    () => `${e()},${e()}`,
    () => pick(LITERALS),
  ]
  return random(3) ? pick(forms)() : expression(0)
}

function property(depth) {
  const e = () => expression(depth - 1)
  return pick([
    () => name(),
    () => `${name()}:${e()}`,
    () => `...${e()}`,
    () => `[${e()}]:${e()}`,
    () => `${name()}(${parameters(depth - 1)}){${statements(depth - 1)}}`,
    () => `${name()}=${e()}`,
    () => `async ${name()}(){}`,
    () => `get ${name()}(){}`,
    () => `'q':${e()}`,
    () => 'if:1',
    () => '__proto__:a',
  ])()
}

/** What can be assigned to, mostly. */
function target(depth) {
  if (depth <= 0) return pick(['a', 'b', 'a.b', 'a[0]', 'f()', '(a)', 'a?.b'])
  return pattern(depth, target, expression)
}

/** What can be declared, mostly. */
function binding(depth) {
  return depth <= 0 ? name() : pattern(depth, binding, expression)
}

function pattern(depth, leaf, value) {
  const inner = () => leaf(depth - 1)
  return pick([
    () => leaf(0),
    () => `[${inner()}${pick(['', `=${value(depth - 1)}`, ',', `,...${inner()}`])}]`,
    () =>
      `{${pick([
        name(),
        `${name()}=${value(depth - 1)}`,
        `${name()}:${inner()}`,
        `...${inner()}`,
        `'k':${inner()}`,
        `[${value(depth - 1)}]:${inner()}`,
      ])}}`,
  ])()
}

const parameters = (depth) =>
  pick([
    () => '',
    () => binding(depth),
    () => `${binding(depth)},${binding(depth)}`,
    () => `...${binding(depth)}`,
    () => `${binding(depth)}=${expression(depth - 1)}`,
  ])()

const end = () => pick([';', '\n', '\n', ';', '', ' '])

function statement(depth) {
  if (depth <= 0) return expression(0) + end()
  const s = () => statement(depth - 1 - random(2))
  const e = () => expression(depth - 1)
  const block = () => `{${statements(depth - 1)}}`
  const body = () => pick([s, block])()
  const forms = [
    () => pick(['let ', 'const ']) + binding(depth - 1) + maybe(() => `=${e()}`) + end(),
    () => `if(${e()})${body()}${maybe(() => `else ${body()}`)}`,
    () => `for(${pick(['const ', 'let ', ''])}${pick([binding(1), target(1)])}${pick([' of ', ' in '])}${e()})${body()}`,
    () => `for(${pick(['let i=0', 'const i=0', 'a', '', 'a=b,b=c', 'let a,b'])};${maybe(e)};${pick(['', e(), 'a++,b++'])})${body()}`,
    () => `while(${e()})${body()}`,
    () => `do ${body()}while(${e()})${end()}`,
    () => `return${pick([` ${e()}`, '', `\n${e()}`])}${end()}`,
    () => `throw${pick([' ', '\n'])}${e()}${end()}`,
    () => `try${block()}${pick(['catch{}', `catch(${binding(1)})${block()}`, 'finally{}', ''])}`,
    () => `switch(a){${pick(['', `case ${e()}:${s()}`, `default:${s()}`, 'default:default:'])}${maybe(() => `case 1:${s()}`)}}`,
    () => pick(['break', 'continue']) + pick(['', ' q', '\nq']) + end(),
    () => `q:${body()}`,
    () => `${pick(['', 'async '])}function ${name()}(${parameters(depth - 1)}){${pick(['', "'use strict';"])}${statements(depth - 1)}}`,
    block,
    () => ';',
    () => `for(;;){${s()}${pick(['break', 'continue', ''])}${end()}}`,
    () => `${target(depth - 1)}=${e()}${end()}`,
  ]
  return random(3) ? pick(forms)() : e() + end()
}

function statements(depth) {
  let text = ''
  for (let count = random(3) + (depth > 1 ? 1 : 0); count > 0; count--) text += statement(depth - 1)
  return text
}

function words() {
  let text = ''
  for (let count = random(9) + 1; count > 0; count--) text += pick(WORDS)
  return text
}

const programs = Array.from({ length: Number(countText) }, (_, index) =>
  index % 3 === 0 ? words() : statements(1 + random(4)),
)
const flow = spawnSync(binary, { input: programs.map((text) => `${HEAD}\n${text}`).join('\u0001'), maxBuffer: 1 << 28 })
if (flow.status !== 0) throw new Error(`the verdicts failed: ${flow.error ?? flow.stderr}`)
const verdicts = flow.stdout.toString().split('\n')

let accepted = 0
const wrong = []
programs.forEach((text, index) => {
  if (!verdicts[index].startsWith('1')) return
  accepted += 1
  try {
    new vm.Script(`(async function (Inputs, Context) {"use strict";\n${HEAD}\n${text}\n})`)
  } catch (error) {
    wrong.push(`${JSON.stringify(text)}: ${error.message}`)
  }
})
console.log(`${programs.length} programs of seed ${seedText}: Flow accepts ${accepted}, of which Node refuses ${wrong.length}`)
for (const one of wrong.slice(0, 20)) console.log(`  ${one}`)
// A generator that makes nothing acceptable proves nothing.
process.exit(wrong.length > 0 || accepted < programs.length / 10 ? 1 : 0)
