// Runs a program in this Node, beside a host that behaves as the one of flow/examples/runs.rs does: tasks give their
// inputs back, or fail; the clock is virtual. Gives the same lines as that one.

import { logged } from '../conformance/logged.mjs'

const AsyncFunction = (async () => {}).constructor
const START = Date.UTC(2024, 0, 1)

class TaskError extends Error {}
Object.defineProperty(TaskError.prototype, 'name', { value: 'TaskError' })

// What Flow refuses at run time throws the same here: all that comes after would differ otherwise.

const refuse = (words) => {
  throw new TypeError(words)
}
/** Puts a function into the place of another: programs see the name and the length of that one. */
function replace(holder, name, made) {
  const { length } = holder[name]
  holder[name] = Object.defineProperties(made, { name: { value: name }, length: { value: length } })
}

replace(Function.prototype, 'toString', function () {
  if (typeof this !== 'function') throw new TypeError("Function.prototype.toString requires that 'this' be a Function")
  return refuse('A function has no string form in Flow: its source is not kept.')
})

const KINDS = [[Map, 'a map'], [Set, 'a set'], [Date, 'a date'], [Promise, 'a promise'], [RegExp, 'a regular expression'], [Iterator, 'an iterator']]
for (const name of ['freeze', 'seal', 'preventExtensions']) {
  const original = Object[name]
  replace(Object, name, (value) => {
    const kind = KINDS.find(([type]) => value instanceof type)
    return kind ? refuse(`Flow cannot freeze ${kind[1]}.`) : original(value)
  })
}
const { assign, isExtensible } = Object
const isElement = (key) => key === 'length' || (String(key >>> 0) === key && key >>> 0 !== 0xffff_ffff)
const propertyless = (value) => typeof value === 'function' || KINDS.some(([type]) => value instanceof type)
replace(Object, 'assign', (target, ...sources) => {
  if (target != null && Object(target) !== target) return refuse('Object.assign of Flow needs an object as its first argument.')
  if (propertyless(target)) {
    const name = sources.flatMap((source) => Object.keys(source ?? {})).find((key) => key !== 'lastIndex')
    if (name !== undefined) refuse(`Flow keeps no properties on this kind of value: '${name}' cannot be set.`)
  }
  for (const source of Array.isArray(target) && isExtensible(target) ? sources : []) {
    if (source == null) continue
    // Those in front of it are set already.
    const own = Object.keys(source)
    // The result of a match has names.
    const odd = own.findIndex((key) => !isElement(key) && !Object.hasOwn(target, key))
    if (odd < 0) continue
    assign(target, ...sources.slice(0, sources.indexOf(source)))
    for (const key of own.slice(0, odd)) target[key] = source[key]
    refuse(`An array of Flow holds only elements: '${own[odd]}' cannot be set on it.`)
  }
  return assign(target, ...sources)
})

const namesOf = Object.getOwnPropertyNames
replace(Object, 'getOwnPropertyNames', (value) =>
  typeof value === 'function' || value instanceof Error || KINDS.some(([type]) => value instanceof type)
    ? refuse('Object.getOwnPropertyNames of Flow takes plain objects, arrays and strings.')
    : namesOf(value),
)
for (const name of ['isFrozen', 'isSealed', 'isExtensible']) {
  const original = Object[name]
  replace(Object, name, (value) => (typeof value === 'function' ? refuse('Flow does not keep whether a function is frozen.') : original(value)))
}

const ISO = /^(?!-000000-\d\d(-\d\d)?$)([+-]\d{6}|\d{4})(-\d\d(-\d\d)?)?([Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d))?$/
function readable(text) {
  if (!/\d/.test(text) || ISO.test(text)) return text
  const short = [...text].slice(0, 40).join('')
  return refuse(
    ISO.test(`${text}Z`)
      ? `"${text}" means local time, which Flow does not have: add a zone, such as "${text}Z".`
      : `Flow reads dates written as "2024-01-31" or "2024-01-31T12:00:00Z" alone, not "${short}".`,
  )
}

let fail = () => {}
process.on('unhandledRejection', (error) => fail(error))

/** The JSON that a value has at the host's boundary. */
function cross(value) {
  const open = [value]
  for (const one of open) {
    if (one instanceof Promise) refuse('A promise is among the values that leave the workflow. Write `await` before it.')
    if (typeof one?.toJSON === 'function' && !(one instanceof Date)) {
      refuse("An object has a 'toJSON' of its own, which Flow does not call here. Call it where you want its value.")
    }
    if (open.length > 1000) break
    if (typeof one === 'object' && one !== null) open.push(...Object.values(one))
  }
  const text = JSON.stringify(value)
  if (text === undefined) return {}
  const check = (inner) => {
    if (typeof inner === 'string' && (inner.includes('\0') || !inner.isWellFormed())) {
      throw new TypeError(
        inner.includes('\0')
          ? 'A string holds U+0000, which the database cannot store.'
          : 'A string holds half of a surrogate pair, which the database cannot store.',
      )
    }
    return inner
  }
  return JSON.parse(text, (key, inner) => (check(key), check(inner)))
}

let now = START
/** What `new Date` is given: a text that it can read, or no text. */
function given(value) {
  if (value instanceof Date) return value
  const primitive = Object(value) === value ? `${value}` : value
  return typeof primitive === 'string' ? readable(primitive) : primitive
}
const OF_DATE = { now: () => now, parse: (text) => Date.parse(readable(String(text))) }
const VirtualDate = new Proxy(Date, {
  construct: (target, values) => (values.length ? new target(given(values[0])) : new target(now)),
  get: (target, name) => (Object.hasOwn(OF_DATE, name) ? OF_DATE[name] : target[name]),
})

const NAMES = ['Task', 'sleep', 'console', 'Date', 'Inputs', 'Context']
const nextTurn = () => new Promise(setImmediate)

export async function runInNode(text) {
  let program
  try {
    program = new AsyncFunction(...NAMES, `"use strict";${text}`)
  } catch (error) {
    return `refused ${error.message}`
  }
  now = START
  const lines = []
  const tasks = []
  const timers = []
  let order = 0
  const Task = {
    run: (name, inputs) => {
      const given = cross(inputs)
      return new Promise((resolve, reject) => {
        tasks.push(() => (name === 'fail' ? reject(new TaskError('the task failed')) : resolve(given)))
      })
    },
  }
  const sleep = (seconds) => {
    const due = now + seconds * 1000
    return new Promise((resolve) => timers.push({ due, resolve, order: order++ }))
  }
  const console = {
    log: (...values) => {
      lines.push(logged(...values).toWellFormed().replaceAll('\0', '\u{FFFD}'))
    },
  }
  let end
  fail = (error) => {
    // How another value than an error is told is Flow's own.
    end ??= error instanceof Error ? `throws ${error.name}: ${String(error.message).toWellFormed()}`.replaceAll('\n', '\\n') : 'throws *'
  }
  program(Task, sleep, console, VirtualDate, {}, {}).then((value) => (end ??= `result ${JSON.stringify(value ?? null)}`), fail)
  for (;;) {
    await nextTurn()
    if (end) break
    const task = tasks.shift()
    if (task) {
      task()
      continue
    }
    timers.sort((a, b) => a.due - b.due || a.order - b.order)
    const timer = timers.shift()
    if (!timer) {
      end = 'throws *'
      break
    }
    now = Math.max(now, timer.due)
    timer.resolve()
  }
  return [end, ...lines].join('\n')
}
