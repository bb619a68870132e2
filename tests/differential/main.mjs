// Runs generated programs in Flow and in Node, and makes those about which they disagree small.
//
//   node main.mjs <runs binary> [--n 20000] [--seed 1] [--from 0] [--show] [--most 10]
//
// A program is known by its seed and index: `--seed S --from I --n 1 --show` shows it and what both say.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compare } from './compare.mjs'
import { FlowHost } from './flow_host.mjs'
import { generate } from './generate.mjs'
import { runInNode } from './node_host.mjs'
import { shrink } from './shrink.mjs'
import { draw } from './tree.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    n: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    most: { type: 'string', default: '10' },
    show: { type: 'boolean', default: false },
  },
})
// Dates are told in UTC, as in Flow.
process.env.TZ = 'UTC'
const prelude = readFileSync(new URL('prelude.flow', import.meta.url), 'utf8')
const flow = new FlowHost(positionals[0])
const [count, seed, from, most] = [options.n, options.seed, options.from, options.most].map(Number)

/** A program as both get it: what it gives and what it throws at its end is told by the prelude's `show`. */
function whole(tree) {
  return `${prelude}async function main() {\n${draw(tree, '  ')}\n}\ntry { return show(await main()) } catch (error) { return \`thrown \${show(error)}\` }\n`
}

async function both(tree) {
  const text = whole(tree)
  const asked = flow.run(text)
  const node = await runInNode(text)
  return { node, flow: await asked, ...compare(node, await asked) }
}

const disagreement = async (tree) => (await both(tree)).kind

const BATCH = 64
const counts = { agreed: 0, blurred: 0, skipped: 0, disagreed: 0 }
// Where more is not compared, agreement says little; a few programs may be of any kind.
const MOST_SKIPPED = 0.1
const FEW = 100
const found = new Map()
const started = performance.now()

/** Programs that Flow is asked about already: it works on them while Node runs those before. */
function ask(first) {
  const trees = Array.from({ length: Math.max(0, Math.min(BATCH, from + count - first)) }, (_, at) => generate(seed, first + at))
  const texts = trees.map(whole)
  return { first, trees, texts, asked: texts.map((text) => flow.run(text)) }
}

let next = ask(from)
while (next.trees.length) {
  const { first, trees, texts, asked } = next
  next = ask(first + BATCH)
  for (const [at, tree] of trees.entries()) {
    const node = await runInNode(texts[at])
    const answer = await asked[at]
    const verdict = compare(node, answer)
    if (options.show) console.log(`${draw(tree)}\n--- Node\n${node}\n--- Flow\n${answer}\n--- ${verdict.verdict}`)
    counts[verdict.verdict]++
    if (verdict.verdict !== 'disagreed') continue
    const same = found.get(verdict.kind) ?? []
    found.set(verdict.kind, same)
    same.push(first + at)
    if (found.size > most || same.length > 1) continue
    const small = await shrink(tree, disagreement)
    const told = await both(small)
    console.log(`\nprogram ${first + at} of seed ${seed}: ${verdict.kind}\n${draw(small, '  ')}\n  Node: ${told.node}\n  Flow: ${told.flow}`)
  }
}
flow.close()
const seconds = (performance.now() - started) / 1000
for (const [kind, indexes] of [...found].sort((a, b) => b[1].length - a[1].length)) {
  console.log(`${String(indexes.length).padStart(6)} × ${kind}   (program ${indexes.slice(0, 4).join(', ')})`)
}
console.log(
  `differential: ${count} programs of seed ${seed} in ${seconds.toFixed(1)} s: ${counts.agreed} agree, ` +
    `${counts.blurred} agree but for words, ${counts.skipped} not compared to the end, ${counts.disagreed} disagree`,
)
const seen = counts.agreed + counts.blurred + counts.skipped + counts.disagreed
const tooFew = seen !== count || (count >= FEW && counts.skipped > count * MOST_SKIPPED)
if (tooFew) console.log(`differential: only ${seen - counts.skipped} of ${count} programs were compared to their ends`)
process.exit(counts.disagreed || tooFew ? 1 : 0)
