// Generates statements that tell in which order JavaScript evaluates: calls whose arguments put something else in the
// place of what is called, assignments whose targets, keys and defaults say when they come. They use the prelude's
// `put`, which logs. What they throw is told, and the program goes on.

import { make } from './tree.mjs'

const FUNCTIONS = ['(...all) => [1, all]', '(...all) => [2, all]', 'undefined', 'null', '5', '({})']
const CALLS = [
  '@.m(%)', '@.m(%)', '@.m(0, %)', "@['m'](%)", '@[k](%)', '@?.m(%)', '@.m?.(%)', '(@.m)(%)', '(@?.m)(%)', '@.m(...[%])', '@.m(%, ...[1])',
  '@.m(1).at(%)', '@.m([%].length)', '@.m([%])', '@.m({ k: % })', '@.m(!%)', '@.m(% ?? 1)', '@.list.push(%)', '@.list.concat(%).length',
  '@.text.at(%)', '@.none.m(%)', '@.none?.m(%)', "@.none['m'](%)", '@.m.m(%)', 'new Map([[1, @]]).get(1).m(%)', '@.m(early)',
]
const ARGUMENTS = [
  "put(@, 'm', %)", "put(@, 'm', %)", "(@.m = %)", "(@['m'] ??= %)", 'delete @.m', 'n++', '(n += 2)', "await held(put(@, 'm', %))", "((f) => f(@))((o) => (o.m = %))",
  "[1].map(() => put(@, 'm', %))", "put(@, 'list', %)", '%',
]
const PATHS = ["put(@, 'a', @).x", "put(@, 'b', {})[put(@, 'c', 'y')]", '@.x', '@[k]', '@.none.x', '@.list[n++]', '(@.x)', "(await held(@)).x", 'early']
const KEYS = ['x', 'y', "'a b'", '0', "[put(@, 'key', 'x')]", '[k]', 'length']
const VALUES = ['null', 'undefined', '({})', '({ x: 1, y: null })', '@', '[1, 2]', '5', "'ab'", "put(@, 'value', { x: 2 })", '({ x: [3, { x: 4 }] })']

/** A statement for a generator (generate.mjs), whose names it does not change. */
export function order(generator) {
  const name = generator.fresh('o')
  const children = []
  const own = (form) => {
    const text = form.replaceAll('@', name)
    for (const _ of text.matchAll(/%/g)) children.push(make('expr', generator.pick(FUNCTIONS).replaceAll('@', name), []))
    return text
  }
  const fit = (forms) => {
    const form = generator.pick(forms)
    return generator.isAsync || !form.includes('await') ? form : fit(forms)
  }
  const made = `const ${name} = { m: ${generator.pick(FUNCTIONS)}, list: [1], text: 'abc', none: null, x: 0 }; let n = 0, k = 'm'`
  const tell = `log(${name}, n, k); let early = 1`
  const what = generator.chance(50) ? call(generator, fit, own) : assignment(generator, fit, own, 2)
  return make('stmt', `{ ${made}; try { log(${what}) } catch (e) { log(e.name, e.message) } ${tell} }`, children)
}

function call(generator, fit, own) {
  const form = fit(CALLS)
  return form.includes('%') ? own(form.replace('%', () => fit(ARGUMENTS))) : own(form)
}

/** An assignment by a pattern, as an expression. */
function assignment(generator, fit, own, depth) {
  return `(${pattern(generator, fit, own, depth)} = ${own(fit(VALUES))})`
}

function pattern(generator, fit, own, depth) {
  const item = () => {
    const inner = depth > 0 && generator.chance(25) ? pattern(generator, fit, own, depth - 1) : own(fit(PATHS))
    return generator.chance(30) ? `${inner} = ${own(fit(VALUES))}` : inner
  }
  const rest = () => (generator.chance(25) ? [`...${own(fit(PATHS))}`] : [])
  const count = generator.random(3)
  if (generator.chance(35)) return `[${[...Array.from({ length: count }, () => (generator.chance(15) ? '' : item())), ...rest()].join(', ')}]`
  return `{ ${[...Array.from({ length: count }, () => `${own(fit(KEYS))}: ${item()}`), ...rest()].join(', ')} }`
}
