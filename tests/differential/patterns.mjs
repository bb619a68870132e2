// Generates regular expressions as trees: a `row` of pieces, each of which can go when the program is made smaller, with
// the flags beside it. Most are valid: as a literal, a wrong one would be refused before anything ran.

import { node } from './tree.mjs'

const FLAGS = ['', '', '', 'g', 'g', 'g', 'i', 'gi', 'm', 'gm', 's', 'gs', 'u', 'gu', 'giu', 'iu', 'y', 'gy', 'uy', 'd', 'dg', 'dgimsuy']
// What the literals of strings are made of, and what looks at it.
const LETTERS = ['a', 'a', 'b', 'b', 'c', 'l', 'x', 'X', 'H', '1', ' ', ',', '0', 'é', 'ß', '😀', 'İ', 't', 'e']
const CLASSES = ['.', '.', '\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '[ab]', '[^a]', '[a-z]', '[A-Z\\d]', '[^]', '[]', '[\\s,]', '[😀é]', '[^\\W\\d]', '[a-c-x]', '[\\b.]']
const ESCAPES = ['\\n', '\\0', '\\u0061', '\\x62', '\\ud83d', '\\ude00', '\\u{1F600}', '\\p{L}', '\\P{Lu}', '\\p{Script=Greek}', '\\/', '\\$', '\\cJ']
const PLACES = ['^', '$', '\\b', '\\B']
const QUANTIFIERS = ['*', '*', '+', '+', '?', '?', '{2}', '{0}', '{1,}', '{0,2}', '{1,3}', '{2,3}']
const GROUPS = ['(', '(', '(', '(?:', '(?:', '(?=', '(?!', '(?<=', '(?<!', '(?<n>', '(?<m>']

class Pattern {
  constructor(random, inText) {
    this.random = random
    this.inText = inText
    this.flags = this.pick(FLAGS)
    this.groups = 0
    this.names = []
  }

  pick(from) {
    return from[this.random(from.length)]
  }

  piece(text, children = [], close = '') {
    const written = (part) => (this.inText ? part.replaceAll('\\', '\\\\') : part)
    const parts = children.length ? [written(text), { at: 0, operand: false }, written(close)] : [written(text)]
    return node('piece', parts, children)
  }

  row(depth) {
    const pieces = []
    for (let at = this.random(3) + (depth > 1 ? 1 : 0); at >= 0; at--) pieces.push(this.term(depth))
    if (this.random(7) === 0) pieces.splice(this.random(pieces.length + 1), 0, this.piece('|'))
    return node('row', [], pieces)
  }

  term(depth) {
    const kind = this.random(20)
    if (kind < 2) return this.piece(this.pick(PLACES))
    if (kind < 3 && this.groups) return this.piece(`\\${1 + this.random(this.groups)}`)
    if (kind < 4 && this.names.length) return this.piece(`\\k<${this.pick(this.names)}>`)
    if (kind < 8 && depth > 0) return this.group(depth)
    const quantifier = this.quantifier()
    if (kind < 13) return this.piece(this.pick(CLASSES) + quantifier)
    if (kind < 15) return this.piece(this.pick(ESCAPES) + quantifier)
    return this.piece(this.pick(LETTERS) + quantifier)
  }

  group(depth) {
    const open = this.pick(GROUPS)
    const [, name] = /^\(\?<(\w)>/.exec(open) ?? []
    if (name && this.names.includes(name)) return this.piece('a')
    // A group inside may not have its name.
    if (name) this.names.push(name)
    const inner = this.row(depth - 1)
    if (open === '(' || name) this.groups++
    const isLook = /^\(\?(?:[=!]|<[=!])/.test(open)
    return this.piece(open, [inner], `)${isLook ? '' : this.quantifier()}`)
  }

  quantifier() {
    return this.random(3) ? '' : this.pick(QUANTIFIERS) + this.pick(['', '', '?'])
  }
}

/** A regular expression as an expression: a literal, or made of a text. */
export function regex(random) {
  const inText = random(4) === 0
  const pattern = new Pattern(random, inText)
  const row = pattern.row(2)
  const parts = inText ? ["new RegExp('", { at: 0 }, `', '${pattern.flags}')`] : ['/', { at: 0 }, `/${pattern.flags}`]
  return node('expr', parts, [row], { atom: true })
}
