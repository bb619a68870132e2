// Runs programs in Flow: one long-lived process of flow/examples/runs.rs, asked over its pipes.

import { spawn } from 'node:child_process'

export class FlowHost {
  constructor(binary) {
    this.child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.waiting = []
    this.buffer = Buffer.alloc(0)
    this.child.stdout.on('data', (chunk) => {
      this.buffer = this.buffer.length ? Buffer.concat([this.buffer, chunk]) : chunk
      this.take()
    })
    this.child.on('exit', (code) => {
      for (const { reject } of this.waiting) reject(new Error(`Flow's process ended with ${code}`))
    })
  }

  take() {
    let at = 0
    for (;;) {
      const lineEnd = this.buffer.indexOf(10, at)
      if (lineEnd < 0) break
      const length = Number(this.buffer.toString('latin1', at, lineEnd))
      const end = lineEnd + 1 + length
      if (this.buffer.length < end) break
      this.waiting.shift().resolve(this.buffer.toString('utf8', lineEnd + 1, end))
      at = end
    }
    this.buffer = this.buffer.subarray(at)
  }

  run(text) {
    const bytes = Buffer.from(text)
    this.child.stdin.write(`${bytes.length}\n`)
    this.child.stdin.write(bytes)
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  close() {
    this.child.stdin.end()
  }
}
