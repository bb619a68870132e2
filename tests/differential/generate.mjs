// Generates programs: trees (tree.mjs) of statements and of the expressions of grammar.mjs, with the names in scope, most
// of them of the type that is wanted. Every loop and function ends: they count with the prelude's `tick`, and what is
// assigned in a loop does not grow without end.
//
// Some programs wait often: what would be a value or an `await` is held (the prelude's `held`) until the host settles a
// promise. Flow is suspended there, saved and loaded; in Node the same promise is settled in the same order.

import { FORMS, LITERALS } from './grammar.mjs'
import { order } from './order.mjs'
import { regex } from './patterns.mjs'
import { block, leaf, list, make } from './tree.mjs'

const TYPES = ['num', 'num', 'str', 'str', 'bool', 'nums', 'strs', 'arr', 'obj', 'obj', 'map', 'set', 'date', 'err', 're', 'fn', 'any', 'any']
const SMALL = ['num', 'str', 'bool']
const HOLE = /([$%])([a-z][A-Za-z]*)/
const VALUES = new Set([...TYPES, 'afn', 'prom'])
/** What changes when it is awaited, or is no use then. */
const UNHELD = new Set(['prom', 'afn', 'fn'])

/** mulberry32: the same programs for the same seed everywhere. */
function randomOf(seed) {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Whether a form can be an operand without parentheses: nothing but brackets, names, dots and what is in them. */
function isAtom(text) {
  if (/^(typeof|await|void|new|delete|async|function|[-+~!{])/.test(text)) return /^new \w+\(.*\)$/.test(text)
  let depth = 0
  let quote = ''
  for (const one of text) {
    if (quote) quote = one === quote ? '' : quote
    else if (one === "'" || one === '`') quote = one
    else if ('([{'.includes(one)) depth++
    else if (')]}'.includes(one)) depth--
    else if (one === ' ' && depth === 0) return false
  }
  return !/^[\d.]/.test(text)
}

const parsed = new Map()
function parse(form) {
  let found = parsed.get(form)
  if (found) return found
  const pieces = form.split(HOLE)
  let template = pieces[0]
  const parts = pieces[0] ? [pieces[0]] : []
  const holes = []
  for (let at = 1; at < pieces.length; at += 3) {
    parts.push({ at: holes.length, operand: pieces[at] === '$' })
    holes.push(pieces[at + 1])
    if (pieces[at + 2]) parts.push(pieces[at + 2])
    template += `h${pieces[at + 2]}`
  }
  found = { parts, holes, atom: isAtom(template), waits: /\bawait\b/.test(form) && !/async/.test(form), nests: /=>|function|\) \{/.test(form) }
  parsed.set(form, found)
  return found
}

class Generator {
  constructor(seed) {
    this.random = randomOf(seed)
    this.names = []
    this.count = 0
    this.isAsync = true
    this.loops = 0
    this.functions = 0
    this.labels = []
    this.small = false
    /** How many of a hundred awaits are held, and a tenth of that many other values. */
    this.holding = this.pick([0, 0, 0, 20, 50, 100])
  }

  pick(from) {
    return from[this.random(from.length)]
  }

  chance(percent) {
    return this.random(100) < percent
  }

  fresh(letter = 'v') {
    return `${letter}${++this.count}`
  }

  within(change, run) {
    const { names, isAsync, loops, functions, labels, small } = this
    this.names = [...names]
    Object.assign(this, change)
    const result = run()
    Object.assign(this, { names, isAsync, loops, functions, labels, small })
    return result
  }

  // Expressions

  literal(type) {
    if (type === 're' && this.chance(60)) return regex(this.random)
    const known = LITERALS[type]
    if (known) return leaf(this.pick(known), false)
    if (type === 'fn' || type === 'afn' || type === 'prom') return this.form(type, 0)
    return leaf(this.pick(LITERALS.any), true)
  }

  variable(type) {
    const fit = this.names.filter((one) => one.type === type || (type === 'any' && (!this.small || SMALL.includes(one.type))))
    return fit.length ? leaf(this.pick(fit).name, true) : undefined
  }

  expr(type, depth) {
    if (!VALUES.has(type)) return this.special(type, depth)
    const value = this.value(type, depth)
    if (!this.isAsync || UNHELD.has(type) || !this.chance(this.holding / 10)) return value
    return make('expr', 'await held(%)', [value], { atom: false })
  }

  value(type, depth) {
    if (this.chance(4) && depth > 0 && !this.small) type = this.pick(TYPES)
    if (this.small && !SMALL.includes(type)) return this.literal(type)
    if (depth <= 0) return (this.chance(60) && this.variable(type)) || this.literal(type)
    if (this.chance(30)) {
      const variable = this.variable(type)
      if (variable) return variable
    }
    if (this.chance(12)) return this.literal(type)
    return this.form(type, depth - 1)
  }

  form(type, depth) {
    const forms = FORMS[type]
    for (let tries = 0; tries < 20; tries++) {
      let form = this.pick(forms)
      if (form.startsWith('await ') && this.chance(this.holding)) form = form.replace(/^await (.*)$/, 'await held($1)')
      const { parts, holes, atom, waits, nests } = parse(form)
      if (waits && !this.isAsync) continue
      if (parts.length === 1 && holes.length === 1) return this.expr(holes[0], depth)
      const within = nests ? { isAsync: false, functions: this.functions + 1 } : {}
      const children = this.within(within, () => holes.map((hole) => this.expr(hole, depth - this.random(2))))
      return { kind: 'expr', parts, children, atom }
    }
    return leaf('undefined')
  }

  special(type, depth) {
    if (type === 'asyncAny') return this.arrow('any', 'any', depth, true)
    if (type === 'cbBlock') return this.arrow('any', 'any', depth, false, true)
    if (type === 'cbPair') return this.pair(depth)
    if (type.startsWith('cb') && !FORMS[type]) {
      const result = type.slice(2).toLowerCase()
      return this.arrow('any', result, depth)
    }
    if (type === 'key' || type === 'prop') return { ...leaf(this.pick(FORMS[type])), kind: 'plain' }
    if (type === 'pattern') return regex(this.random)
    if (type === 'json') return leaf(this.pick(LITERALS.json), true)
    if (['small', 'radix', 'sec', 'cmp', 'red', 'int'].includes(type)) {
      // Not to be replaced by anything: the program could grow or never end.
      return { ...leaf(this.pick(FORMS[type]), false), kind: 'plain' }
    }
    return this.form(type, depth)
  }

  pair(depth) {
    const name = this.fresh()
    return this.within({ isAsync: false, functions: this.functions + 1 }, () => {
      this.names.push({ name, type: 'any' })
      return make('expr', `(${name}) => [$, $]`, [leaf(name), this.expr('any', depth - 1)], { atom: false })
    })
  }

  arrow(given, result, depth, isAsync = false, asBlock = false) {
    const name = this.fresh()
    const second = this.chance(25) ? this.fresh('i') : ''
    const head = second ? `(${name}, ${second})` : this.chance(70) ? `(${name})` : name
    const prefix = isAsync ? 'async ' : ''
    return this.within({ isAsync, loops: 0, functions: this.functions + 1, labels: [] }, () => {
      this.names.push({ name, type: given })
      if (second) this.names.push({ name: second, type: given })
      if (asBlock || this.chance(isAsync ? 60 : 18)) {
        const body = this.body(depth, this.random(3) + (isAsync ? 1 : 0))
        body.children.push(make('stmt', 'return %', [this.expr(result, depth)]))
        return make('expr', `${prefix}${head} => %`, [body], { atom: false })
      }
      const value = this.expr(result, depth)
      return make('expr', `${prefix}${head} => (%)`, [value], { atom: false })
    })
  }

  // Statements

  /** The body of a function or loop, which counts. */
  body(depth, count) {
    const inner = this.statements(depth - 1, count)
    inner.children.unshift({ ...leaf('tick()'), kind: 'plain' })
    return inner
  }

  statements(depth, count) {
    const names = this.names
    this.names = [...names]
    const made = []
    for (let at = 0; at < count; at++) made.push(this.statement(depth))
    this.names = names
    return block(made)
  }

  statement(depth) {
    if (this.isAsync && this.chance(this.holding / 8)) return make('stmt', 'await held()', [])
    const simple = ['declare', 'declare', 'declare', 'assign', 'log', 'log', 'effect', 'destructure']
    const nested = ['if', 'for', 'forOf', 'forIn', 'while', 'try', 'try', 'switch', 'func', 'func', 'labelled', 'doWhile', 'block']
    const rare = ['jump', 'throw', 'return', 'dead', 'swap', 'compound', 'compound', 'chain', 'update', 'hoisted', 'search', 'search', 'quoted', 'quoted', 'quoted', 'order', 'order']
    const kind = depth > 0 && this.chance(38) ? this.pick(nested) : this.chance(25) ? this.pick(rare) : this.pick(simple)
    return kind === 'order' ? order(this) : this[`${kind}Statement`](depth)
  }

  declareStatement(depth) {
    const type = this.chance(12) ? this.pick(['prom', 'afn']) : this.pick(TYPES)
    const value = this.expr(type, 2 + this.random(2))
    const name = this.fresh()
    const isLet = this.chance(40)
    this.names.push({ name, type, isLet })
    return make('stmt', `${isLet ? 'let' : 'const'} ${name} = %`, [value])
  }

  logStatement() {
    return make('stmt', this.chance(20) ? 'console.log(%)' : 'log(%)', [list(Array.from({ length: 1 + this.random(2) }, () => this.expr(this.pick(TYPES), 3)))])
  }

  effectStatement() {
    const type = this.pick(['num', 'bool', 'any', 'any', 'prom', 'str', 'arr', 'nums'])
    return make('stmt', ';(%)', [this.form(type, 2)])
  }

  /** A value for a variable that lives on; small where it could be assigned again and again. */
  assigned(type) {
    if (!this.loops && !this.functions) return this.expr(type, 2)
    return this.within({ small: true }, () => {
      const value = this.expr(type, 2)
      return type === 'str' || type === 'any' ? make('expr', 'String($).slice(0, 30)', [value], { atom: true }) : value
    })
  }

  assignStatement(depth) {
    const variables = this.names.filter((one) => one.isLet)
    const pattern = this.chance(15) && this.variable('re')
    if (pattern) {
      const value = this.assigned(this.pick(['num', 'num', 'any']))
      return make('stmt', `if (${pattern.parts[0]} instanceof RegExp) %.lastIndex = %`, [{ ...pattern, kind: 'plain' }, value])
    }
    if (!variables.length || this.chance(30)) {
      const object = this.variable('obj')
      const target = object ?? this.variable('arr')
      const form = object ? this.pick(['%.x = %', '%[%] = %', '%.k ??= %', '%.y ||= %', '%.x &&= %', '%.x += %']) : '%[0] = %'
      if (!target) return this.logStatement(depth)
      const children = [{ ...target, kind: 'plain' }]
      if (form.startsWith('%[%]')) children.push({ ...this.special('kstr', 0) })
      children.push(this.assigned(this.pick(SMALL)))
      return make('stmt', `if (open(${target.parts[0]})) ${form}`, children)
    }
    const { name, type } = this.pick(variables)
    const value = this.assigned(type)
    return make('stmt', `${name} = %`, [value])
  }

  compoundStatement() {
    const variables = this.names.filter((one) => one.isLet && SMALL.includes(one.type))
    if (!variables.length) return this.logStatement()
    const { name, type } = this.pick(variables)
    const op = this.pick(['+=', '-=', '*=', '**=', '%=', '??=', '||=', '&&=', '<<=', '>>>=', '|=', '^=', '/='])
    if (type !== 'num' && op === '+=') {
      return make('stmt', `${name} += %`, [leaf(this.pick(LITERALS[this.pick(['num', 'str'])]))])
    }
    return make('stmt', `${name} ${op} %`, [this.within({ small: true }, () => this.expr('num', 1))])
  }

  updateStatement() {
    const variables = this.names.filter((one) => one.isLet)
    if (!variables.length) return this.logStatement()
    const { name } = this.pick(variables)
    return make('stmt', this.pick([`log(${name}++)`, `log(--${name})`, `log(${name}--, ${name})`, `++${name}`]), [])
  }

  swapStatement() {
    const variables = this.names.filter((one) => one.isLet)
    if (variables.length < 2) return this.logStatement()
    const a = this.pick(variables)
    const b = this.pick(variables.filter((one) => one.type === a.type))
    return make('stmt', `;[${a.name}, ${b.name}] = [${b.name}, ${a.name}]`, [])
  }

  /** A pattern, its names, and the defaults in it. */
  pattern(depth, names, children) {
    const target = () => {
      if (depth > 0 && this.chance(25)) return this.pattern(depth - 1, names, children)
      const name = this.fresh('d')
      names.push(name)
      return name
    }
    const item = () => {
      const inner = target()
      if (!this.chance(30)) return inner
      children.push(this.expr('any', 1))
      return `${inner} = %`
    }
    const rest = () => {
      const name = this.fresh('r')
      names.push(name)
      return `...${name}`
    }
    const count = this.random(3) + 1
    const parts = []
    if (this.chance(50)) {
      for (let at = 0; at < count; at++) parts.push(this.chance(15) ? '' : item())
      if (this.chance(25)) parts.push(rest())
      return `[${parts.join(', ')}]`
    }
    for (let at = 0; at < count; at++) {
      const key = this.pick(['x', 'y', 'k', 'length', '0', "'a b'", '%'])
      if (key === '%') {
        children.push(this.expr('str', 1))
        parts.push(`[%]: ${item()}`)
      } else {
        parts.push(`${key}: ${item()}`)
      }
    }
    if (this.chance(25)) parts.push(rest())
    return `{ ${parts.join(', ')} }`
  }

  destructureStatement() {
    const names = []
    const children = []
    const text = this.pattern(2, names, children)
    const isLet = this.chance(40)
    children.push(this.expr(text.startsWith('[') ? this.pick(['arr', 'nums', 'str', 'map', 'set']) : this.pick(['obj', 'obj', 'arr', 'any']), 2))
    for (const name of names) this.names.push({ name, type: 'any', isLet })
    return make('stmt', `${isLet ? 'let' : 'const'} ${text} = %`, children)
  }

  condition(depth) {
    return this.expr(this.pick(['bool', 'bool', 'any', 'num']), Math.min(depth, 2))
  }

  ifStatement(depth) {
    const children = [this.condition(depth), this.statements(depth - 1, 1 + this.random(2))]
    if (!this.chance(40)) return make('stmt', 'if (%) %', children)
    return make('stmt', 'if (%) % else %', [...children, this.statements(depth - 1, 1)])
  }

  loop(head, declared, children, depth) {
    return this.within({ loops: this.loops + 1 }, () => {
      this.names.push(...declared.map((name) => ({ name, type: 'any' })))
      return make('stmt', head, [...children, this.body(depth, 1 + this.random(3))])
    })
  }

  forStatement(depth, label = '') {
    const name = this.fresh('i')
    if (this.chance(20)) return this.closedForStatement(name, depth, label)
    const step = this.pick([`${name}++`, `${name} += 2`, `++${name}`])
    return this.loop(`${label}for (let ${name} = 0; ${name} < ${1 + this.random(4)}; ${step}) %`, [name], [], depth)
  }

  /** A `for` whose head makes functions of its variable: each turn has a variable of its own. */
  closedForStatement(name, depth, label) {
    const made = this.fresh('g')
    const most = 1 + this.random(4)
    const init = this.pick(['', `, x = ${made}.push(() => ${name})`, `, x = ${made}.push(() => ++${name})`, `, [x] = [${made}.push(() => ${name})]`])
    const test = this.pick([`${name} < ${most}`, `${made}.push(() => ${name}) && ${name} < ${most}`, `${made}.push(() => ${name}), ${name} < ${most}`])
    const step = this.pick([`${name}++`, `${made}.push(() => ${name}), ${name}++`, `${name}++, ${made}.push(() => ${name})`])
    const calls = this.pick([`${made}.map((f) => f())`, `[${name}, ${made}[0]?.(), ${name}]`, name])
    const head = `${label}for (let ${name} = 0${init}; ${test} && ${made}.length < 12; ${step}) { log(${calls}); % }`
    const loop = this.loop(head, [name], [], depth)
    return block2(make('stmt', `const ${made} = []`, []), block2(loop, make('stmt', `log(${made}.map((f) => f()))`, [])))
  }

  /** What V8's messages quote of the source: a method that is missing, and what cannot be taken apart or walked through. */
  quotedStatement() {
    const object = this.expr(this.pick(['obj', 'any', 'err', 'arr', 'map', 'str', 'num']), 2)
    const use = this.pick([
      '$.missing()',
      '$.missing(1, %)',
      '$.missing.more()',
      '$[%]()',
      '$?.missing()',
      'const { a } = %; log(a)',
      'const { a: { b } } = %; log(b)',
      'const { a = 1, b } = %; log(a, b)',
      'const { a: [b] } = %; log(b)',
      'const [a, b] = %; log(a, b)',
      'let a; ({ a } = %); log(a)',
      'let a; [a] = %; log(a)',
      'for (const a of %) log(a)',
      'for (const { a } of [%]) log(a)',
      'for (const [a] of [%]) log(a)',
      'log([...%])',
      'log([1, ...%])',
      'log((({ a }) => a)(%))',
      'log((([a]) => a)(%))',
    ])
    const children = [object]
    if (/[$%].*[$%]/.test(use)) children.push(this.expr('any', 1))
    return make('stmt', `try { ${use} } catch (e) { log(e.name, e.message) }`, children)
  }

  forOfStatement(depth) {
    const value = this.expr(this.pick(['arr', 'nums', 'strs', 'str', 'map', 'set', 'matches', 'any']), 2)
    if (this.chance(30)) {
      const names = []
      const children = []
      const text = this.pattern(1, names, children)
      return this.loop(`for (const ${text} of %) %`, names, [...children, value], depth)
    }
    const name = this.fresh()
    return this.loop(`for (${this.pick(['const', 'let'])} ${name} of %) %`, [name], [value], depth)
  }

  forInStatement(depth) {
    const name = this.fresh('k')
    return this.loop(`for (const ${name} in %) %`, [name], [this.expr(this.pick(['obj', 'obj', 'arr', 'str', 'any']), 2)], depth)
  }

  whileStatement(depth) {
    const name = this.fresh('n')
    this.names.push({ name, type: 'num' })
    return block2(make('stmt', `let ${name} = 0`, []), this.loop(`while (${name}++ < ${1 + this.random(4)} && $) %`, [], [this.condition(depth)], depth))
  }

  doWhileStatement(depth) {
    const name = this.fresh('n')
    const body = this.within({ loops: this.loops + 1 }, () => {
      this.names.push({ name, type: 'num' })
      return this.body(depth, 1 + this.random(2))
    })
    return block2(make('stmt', `let ${name} = 0`, []), make('stmt', `do % while (${name}++ < 3 && $)`, [body, this.condition(1)]))
  }

  labelledStatement(depth) {
    const label = this.fresh('L')
    // A `for` may begin with a declaration, which takes no label.
    const labelled = (loop) => make('stmt', `${label}: %`, [loop])
    const loop = this.pick([() => this.forStatement(depth, `${label}: `), () => labelled(this.forOfStatement(depth)), () => labelled(this.forInStatement(depth))])
    return this.within({ labels: [...this.labels, label] }, loop)
  }

  jumpStatement(depth) {
    if (!this.loops) return this.logStatement(depth)
    const label = this.labels.length && this.chance(50) ? ` ${this.pick(this.labels)}` : ''
    return make('stmt', `if (%) ${this.pick(['break', 'continue'])}${label}`, [this.condition(1)])
  }

  blockStatement(depth) {
    return make('stmt', '%', [this.statements(depth - 1, 1 + this.random(3))])
  }

  tryStatement(depth) {
    const body = this.statements(depth - 1, 1 + this.random(3))
    if (this.chance(30)) body.children.push(this.throwStatement())
    const name = this.fresh('e')
    const handler = this.within({}, () => {
      this.names.push({ name, type: 'any' })
      const inner = this.statements(depth - 1, this.random(2))
      inner.children.unshift(make('stmt', `log('caught', ${name})`, []))
      return inner
    })
    const last = () => {
      const inner = this.statements(depth - 1, 1)
      if (this.chance(15)) inner.children.push(make('stmt', 'return %', [this.expr('any', 1)]))
      return inner
    }
    const form = this.random(10)
    if (form < 5) return make('stmt', `try % catch (${name}) %`, [body, handler])
    if (form < 7) return make('stmt', `try % catch (${name}) % finally %`, [body, handler, last()])
    // Not the message: in some V8 quotes the source, and a program could loop over its letters.
    if (form < 8) return make('stmt', `try % catch ({ name: ${name} = 1 }) %`, [body, handler])
    if (form < 9) return make('stmt', `try % finally %`, [body, last()])
    return make('stmt', `try % catch %`, [body, this.statements(depth - 1, 1)])
  }

  throwStatement() {
    return make('stmt', 'if (%) throw %', [this.condition(1), this.expr(this.pick(['err', 'err', 'any']), 2)])
  }

  returnStatement() {
    return make('stmt', 'if (%) return %', [this.condition(1), this.expr('any', 2)])
  }

  switchStatement(depth) {
    const type = this.pick(['num', 'str', 'any'])
    const children = [this.expr(type, 1)]
    let text = ''
    const count = 1 + this.random(3)
    const other = this.chance(60) ? this.random(count) : -1
    for (let at = 0; at < count; at++) {
      children.push(this.expr(type, 0), this.statements(depth - 1, 1 + this.random(2)))
      text += ` case %: %${this.chance(60) ? ' break;' : ';'}`
      if (at === other) {
        children.push(this.statements(depth - 1, 1))
        text += ` default: %${this.chance(50) ? ' break;' : ';'}`
      }
    }
    return make('stmt', `switch (%) {${text} }`, children)
  }

  funcStatement(depth) {
    const isAsync = this.chance(45)
    const name = this.fresh('f')
    const params = []
    const children = []
    const declared = []
    for (let at = this.random(3); at > 0; at--) {
      if (this.chance(25)) {
        const text = this.within({ isAsync: false, functions: this.functions + 1 }, () => this.pattern(1, declared, children))
        params.push(this.chance(60) ? `${text} = ${text.startsWith('[') ? '[]' : '{}'}` : text)
      } else {
        const param = this.fresh('p')
        declared.push(param)
        if (this.chance(30)) {
          children.push(this.within({ isAsync: false, functions: this.functions + 1 }, () => this.expr('any', 1)))
          params.push(`${param} = %`)
        } else {
          params.push(param)
        }
      }
    }
    const body = this.within({ isAsync, loops: 0, functions: this.functions + 1, labels: [] }, () => {
      this.names.push(...declared.map((one) => ({ name: one, type: 'any' })))
      const inner = this.body(depth, 1 + this.random(3))
      inner.children.push(make('stmt', 'return %', [this.expr('any', 2)]))
      return inner
    })
    this.names.push({ name, type: isAsync ? 'afn' : 'fn' })
    return make('stmt', `${isAsync ? 'async ' : ''}function ${name}(${params.join(', ')}) %`, [...children, body])
  }

  /** A regular expression that goes on from match to match. */
  searchStatement(depth) {
    const name = this.fresh('s')
    const count = this.fresh('n')
    const value = this.expr('re', 1)
    this.names.push({ name, type: 're' })
    const body = this.body(depth, this.random(2))
    body.children.push(make('stmt', `log(${name}.lastIndex)`, []))
    const look = this.pick([`${name}.test(%)`, `${name}.exec(%)`, `${name}.exec(%)?.[0]`])
    const loop = make('stmt', `while (${count}++ < 4 && ${look}) %`, [this.within({ small: true }, () => this.expr('str', 1)), body])
    return block2(make('stmt', `const ${name} = %`, [value]), block2(make('stmt', `let ${count} = 0`, []), loop))
  }

  /** What a name is before its declaration. */
  deadStatement() {
    const name = this.fresh('t')
    const use = this.pick([name, `typeof ${name}`, `(() => ${name})()`, `[${name}]`, `${name} = 1`])
    const kind = this.pick(['let', 'const']).replace('const', use.includes('= 1') ? 'let' : 'const')
    return make('stmt', `try { log(${use}); ${kind} ${name} = %; log(${name}) } catch (e) { log('dead', e) }`, [this.expr('any', 1)])
  }

  hoistedStatement(depth) {
    const name = this.fresh('h')
    const body = this.within({ isAsync: false, loops: 0, functions: this.functions + 1, labels: [] }, () => this.body(depth, 1))
    return make('stmt', `log(typeof ${name}, ${name}(1)); function ${name}(a, b = a) { return [a, b, $] }`, [
      make('expr', '(() => %)()', [body], { atom: true }),
    ])
  }

  /** Coroutines that run beside each other. */
  chainStatement() {
    const tag = this.fresh('c')
    const steps = Array.from({ length: 1 + this.random(3) }, () => {
      const form = this.pick(['.then((value) => { log(@, value); return % })', '.catch((error) => { log(@, error); return % })', '.finally(() => { log(@) })', '.then((value) => { log(@, value); throw % })'])
      return form.replace('@', `'${tag}'`)
    })
    const children = []
    let text = '(%)'
    children.push(this.expr('prom', 2))
    for (const step of steps) {
      text += step
      if (step.includes('%')) children.push(this.within({ isAsync: false, functions: this.functions + 1 }, () => this.expr(this.pick(['any', 'prom', 'err']), 1)))
    }
    return make('stmt', `;${text}.catch(() => {})`, children)
  }

  program() {
    const body = this.statements(3, 3 + this.random(6))
    const top = []
    for (const one of body.children) {
      const found = /^(?:let|const) (\w+) =/.exec(one.parts.filter((part) => typeof part === 'string').join(''))
      if (found && this.chance(50)) top.push(leaf(found[1]))
    }
    body.children.push(make('stmt', 'return [%]', [list(top)]))
    return body
  }
}

const block2 = (first, second) => make('stmt', '%; %', [first, second])

export const generate = (seed, index) => new Generator(Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)).program()
