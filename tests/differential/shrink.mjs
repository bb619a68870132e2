// Makes a program smaller as long as Flow and Node disagree about it in the same way.

import { size, smaller } from './tree.mjs'

const BATCH = 24
/** Rounds over the tree; a program that still shrinks then is small enough to read. */
const MOST_ROUNDS = 200

/** `disagreement(tree)` gives what kind of disagreement there is, or nothing. */
export async function shrink(tree, disagreement) {
  const kind = await disagreement(tree)
  let current = tree
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = await better(current, kind, disagreement)
    if (!next) break
    current = next
  }
  return current
}

async function better(current, kind, disagreement) {
  const now = size(current)
  let batch = []
  const flush = async () => {
    for (const one of batch) if ((await disagreement(one)) === kind) return one
    batch = []
  }
  for (const candidate of smaller(current)) {
    if (size(candidate) >= now) continue
    batch.push(candidate)
    if (batch.length === BATCH) {
      const found = await flush()
      if (found) return found
    }
  }
  return flush()
}
