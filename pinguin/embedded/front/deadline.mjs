// A bound on how long one message of a client may take. While the backend runs, this thread can do nothing: a second one watches,
// and asks V8's inspector to run `pinguinCancel` here, at the next branch of the WASM code. What cannot be cancelled is killed.
import fs from 'node:fs'
import inspector from 'node:inspector'
import { Worker, isMainThread, workerData } from 'node:worker_threads'

const [TURN, LIMIT] = [0, 1] // of the shared words: which message is bounded (0: none), and by how many milliseconds
const GRACE_MS = 3000 // from the cancelling to the killing; somebody waits for every one of them

export class Deadline {
  #words = new Int32Array(new SharedArrayBuffer(8))
  #watcher = null
  #turn = 0

  /** @param cancel called within the running message, at most once for each: it must not call the backend. */
  constructor(cancel) {
    globalThis.pinguinCancel = turn => turn === this.#words[TURN] && cancel()
  }

  begin(limitMs) {
    this.#watcher ??= this.#watch()
    this.#turn = (this.#turn % 0x7fffffff) + 1
    Atomics.store(this.#words, LIMIT, Math.min(limitMs, 0x7fffffff))
    this.#set(this.#turn)
  }

  end() {
    this.#set(0)
  }

  #set(turn) {
    Atomics.store(this.#words, TURN, turn)
    Atomics.notify(this.#words, TURN)
  }

  #watch() {
    const watcher = new Worker(new URL(import.meta.url), { workerData: this.#words })
    watcher.unref()
    return watcher
  }
}

async function watch(words) {
  for (;;) {
    Atomics.wait(words, TURN, 0)
    const turn = Atomics.load(words, TURN)
    if (turn === 0 || Atomics.wait(words, TURN, turn, Atomics.load(words, LIMIT)) !== 'timed-out') continue
    await interrupt(turn)
    if (Atomics.wait(words, TURN, turn, GRACE_MS) === 'timed-out') kill()
  }
}

/** Connected only for this: a process with an inspector waits for it when it ends. */
async function interrupt(turn) {
  const session = new inspector.Session()
  session.connectToMainThread()
  const done = new Promise(resolve => session.post('Runtime.evaluate', { expression: `pinguinCancel(${turn})` }, resolve))
  await Promise.race([done, new Promise(resolve => setTimeout(resolve, GRACE_MS))])
  session.disconnect()
}

// Everything that was committed is in the WAL; whoever started us starts us again.
function kill() {
  fs.writeSync(2, JSON.stringify({ timestamp: new Date().toISOString(), event: 'statement_not_cancelled' }) + '\n')
  process.kill(process.pid, 'SIGKILL')
}

if (!isMainThread) await watch(workerData)
