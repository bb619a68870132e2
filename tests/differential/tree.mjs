// The tree of a generated program. A node has parts (text, and places of its children) and children; what a child is
// decides how it is drawn, and what may stand in its place when the program is made smaller. Knows no grammar.
//
// kinds: expr (`atom`: needs no parentheses), list (children with commas, each can go), stmt, block (statements, each
// can go), row and piece (what a regular expression is made of: each piece can go), plain (anything that stays).

export const node = (kind, parts, children, more = {}) => ({ kind, parts, children, ...more })
export const leaf = (text, atom = true) => node('expr', [text], [], { atom })
export const list = (children) => node('list', [], children)
export const block = (children) => node('block', [], children)

/** A child in operand position: in parentheses unless it is an atom. */
export const operand = (at) => ({ at, operand: true })
/** A child as it is. */
export const bare = (at) => ({ at, operand: false })

/**
 * Makes a node of a template: `$` stands for the next child as an operand, `%` for it as it is.
 */
export function make(kind, template, children, more) {
  const parts = []
  let at = 0
  for (const piece of template.split(/([$]|%(?!=))/)) {
    if (piece === '$') parts.push(operand(at++))
    else if (piece === '%') parts.push(bare(at++))
    else if (piece) parts.push(piece)
  }
  return node(kind, parts, children, more)
}

export function draw(tree, indent = '') {
  if (tree.kind === 'list') return tree.children.map((child) => draw(child, indent)).join(', ')
  // An empty literal would be a comment.
  if (tree.kind === 'row') return tree.children.map((child) => draw(child, indent)).join('') || '(?:)'
  if (tree.kind === 'block') {
    if (!tree.children.length) return ''
    return tree.children.map((child) => indent + draw(child, indent)).join('\n')
  }
  return tree.parts
    .map((part) => {
      if (typeof part === 'string') return part
      const child = tree.children[part.at]
      if (child.kind === 'block') return `{\n${draw(child, indent + '  ')}\n${indent}}`
      const text = draw(child, indent)
      return part.operand && !child.atom ? `(${text})` : text
    })
    .join('')
}

export const size = (tree) => tree.children.reduce((sum, child) => sum + size(child), 1 + tree.parts.join('').length / 20)

function replaced(tree, path, by, depth = 0) {
  if (depth === path.length) return by
  const children = [...tree.children]
  children[path[depth]] = replaced(children[path[depth]], path, by, depth + 1)
  return { ...tree, children }
}

const SIMPLE = ['0', 'undefined', "''", '[]', '{}', '1', 'null'].map((text) => leaf(text, text !== '{}'))

/** Trees that are one step smaller, those that lose most first. */
export function* smaller(root) {
  const queue = [[root, []]]
  while (queue.length) {
    const [tree, path] = queue.shift()
    const put = (by) => replaced(root, path, by)
    if (tree.kind === 'block' || tree.kind === 'list' || tree.kind === 'row') {
      const count = tree.children.length
      const without = (from, to) => ({ ...tree, children: tree.children.filter((_, at) => at < from || at >= to) })
      for (let width = count; width >= 1; width = width > 1 ? Math.ceil(width / 2) : 0) {
        for (let from = 0; from < count; from += width) yield put(without(from, from + width))
      }
      for (const [at, child] of tree.children.entries()) {
        const inner = child.children.find((one) => one.kind === tree.kind)
        if (inner) {
          yield put({ ...tree, children: [...tree.children.slice(0, at), ...inner.children, ...tree.children.slice(at + 1)] })
        }
      }
    }
    if (tree.kind === 'expr' && tree.children.length) {
      for (const child of tree.children) if (child.kind === 'expr') yield put(child)
      for (const child of tree.children) {
        if (child.kind === 'list') for (const item of child.children) if (item.kind === 'expr') yield put(item)
      }
    }
    if (tree.kind === 'expr' && (tree.children.length || tree.parts.join('').length > 2)) {
      for (const simple of SIMPLE) yield put(simple)
    }
    tree.children.forEach((child, at) => queue.push([child, [...path, at]]))
  }
}
