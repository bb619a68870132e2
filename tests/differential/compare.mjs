// Compares what Node and Flow say of a program. Says also of what kind a disagreement is, so that a hundred programs
// with one cause are told once.

import { withoutFrames } from '../conformance/logged.mjs'

/** Words that V8 makes of the source, in ways of its own. Only when answers differ are they taken out. */
const WORDS = [
  // Messages of Flow are whole characters.
  [/\\+ud[0-9a-f]{3}|\ufffd/g, '<half a character>'],
  // Functions have no text in Flow.
  [/(DataCloneError\]?: )(?!#<|\[object )[^]*? could not be cloned\./g, '$1<uncloneable>'],
  [/"(?!#<|\[object )(?:\\.|[^"\\\n])*? could not be cloned\./g, '"<uncloneable>'],
  [/\(reading '(async|function|\()[^]*?'\)(?=>|"|$)/gm, '<key>'],
  // How often V8 says it depends on what a function declares.
  [/(\(intermediate value\))+/g, '<unprinted>'],
  // Brackets are around errors without frames, and which functions V8 finds waiting for a promise is its own matter.
  [/\[((?:AggregateError: All promises were rejected)|(?:TaskError: the task failed))\]/g, '$1'],
]

/**
 * V8 looks for what was iterated by its place in the source, and that depends on its bytecode, from one run to the next
 * too. Where it does not find it, it tells the value, and only that it cannot be iterated is compared; where answers
 * differ in which part of the source it is, that also.
 */
const UNFOUND = / is not iterable \(cannot read property Symbol\(Symbol\.iterator\)\)|Cannot destructure property 'Symbol\(Symbol\.iterator\)'/
const ENDS =
  "(?:Cannot destructure property 'Symbol\\(Symbol\\.iterator\\)' of '[^\\n]*?' as it is \\w+\\.| is not a function or its return value is not iterable| is not iterable \\(cannot read property Symbol\\(Symbol\\.iterator\\)\\)| is not iterable)"
const UNITERABLE = new RegExp(`(TypeError: )[^\\n]*?${ENDS}|(")(?:\\\\.|[^"\\\\\\n])*?${ENDS}`, 'g')
const VALUE = /(TypeError: |")(?:number|string|boolean|object|undefined|function|null)\b[^"\n]* is not iterable/

/** The lines in which two answers differ, without words that are V8's own matter. */
function found(node, flow) {
  const [a, b] = [node.split('\n'), flow.split('\n')]
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const isFound = !UNFOUND.test(a[at]) && !UNFOUND.test(b[at])
    if (a[at] === b[at] || (isFound && (VALUE.test(a[at]) || VALUE.test(b[at])))) continue
    a[at] = a[at].replace(UNITERABLE, '$1$2<uniterable>')
    b[at] = b[at].replace(UNITERABLE, '$1$2<uniterable>')
  }
  return [a.join('\n'), b.join('\n')]
}

// Programs also encode these words.
const blur = (text) => WORDS.reduce((blurred, [pattern, by]) => blurred.replace(pattern, by), text.replaceAll('%20', ' '))

/** How Flow refuses something at run time. */
const REFUSAL = /Flow|A promise is among the values/

/** The lines of the log in front of the first that tells of a refusal; all of them, if the end alone tells of it. */
function upToRefusal(node, flow) {
  const [, ...log] = flow.split('\n')
  const refused = log.findIndex((line) => REFUSAL.test(line))
  const count = refused < 0 ? log.length : refused
  const before = (answer) => blur(['', ...answer.split('\n').slice(1, count + 1)].join('\n'))
  const [a, b] = found(before(node), before(flow))
  return a === b ? { verdict: 'skipped' } : { verdict: 'disagreed', kind: `in front of a refusal: ${kindOf(a, b)}` }
}

/**
 * What Node and Flow say of a program: they agree, agree but for words (`blurred`), disagree, or cannot be compared
 * (`skipped`).
 */
export function compare(node, answer) {
  const [flow, saved] = withoutFrames(answer).split('\u0001saved\u0001')
  if (saved !== undefined) return { verdict: 'disagreed', kind: `a save changes it: ${kindOf(flow, saved)}` }
  // Node's host refuses much of what Flow refuses at run time, in the same words.
  if (node === flow && !node.startsWith('refused')) return { verdict: 'agreed' }
  // Limits are the host's.
  if (/^limit/.test(flow) || /Maximum call stack|ERR_MISSING_ARGS/.test(node)) return { verdict: 'skipped' }
  // What Flow refuses by name at run time is no other meaning, but what was logged in front of it has to be the same.
  if (REFUSAL.test(flow)) return upToRefusal(node, flow)
  if (node.startsWith('refused') && flow.startsWith('refused')) return { verdict: 'skipped' }
  if (node === 'throws *' || node.startsWith('throws *\n')) {
    if (flow.startsWith('throws') || flow.startsWith('stuck')) node = node.replace('throws *', () => flow.split('\n')[0])
  }
  const [a, b] = found(blur(node), blur(flow))
  if (a === b) return { verdict: 'blurred' }
  return { verdict: 'disagreed', kind: kindOf(a, b) }
}

/** The first words in which two answers differ, without what differs from program to program. */
function kindOf(node, flow) {
  if (flow.startsWith('refused')) return flow.replace(/\d+/g, 'N').replace(/`[^`]*`/g, '`…`')
  const [a, b] = [node.split('\n'), flow.split('\n')]
  const at = a.findIndex((line, index) => line !== b[index])
  const [x, y] = [a[at] ?? '<nothing>', b[at] ?? '<nothing>']
  let start = 0
  while (start < x.length && x[start] === y[start]) start++
  const word = (line) =>
    line
      .slice(Math.max(0, start - 3), start + 40)
      .replace(/"(\\.|[^"\\])*"?/g, '"…"')
      .replace(/\d+/g, 'N')
      .replace(/'[^']*'/g, "'…'")
      .slice(0, 30)
  return `${at ? 'log' : 'end'}: ${word(x)} / ${word(y)}`
}
