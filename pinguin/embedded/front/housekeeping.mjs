// What the processes of a PostgreSQL server do that is not here: checkpoints, and the end of transactions that nobody goes on with.
import { errorText } from './backend.mjs'
import { counter } from './durability.mjs'
import { log } from './log.mjs'

const LOOK_MS = 2000

export class Housekeeping {
  #lastCheckpoint = Date.now()
  #checkpointed = null
  #timer

  constructor(session, { idleTransactionMs, checkpointMs, checkpointMegabytes }) {
    this.session = session
    this.limits = { idleTransactionMs, checkpointMs, checkpointMegabytes }
    this.job = () => this.#checkpointIfDue()
  }

  start() {
    this.#timer = setInterval(() => this.#look(), Math.min(LOOK_MS, this.limits.idleTransactionMs / 2))
    this.session.between(this.job)
  }

  stop() {
    clearInterval(this.#timer)
  }

  #look() {
    this.#dismissIdle()
    this.session.between(this.job) // queued like a client, so that it has its turn under load too
  }

  // Everybody waits for the owner. One that holds a transaction open and awaits another connection waits for itself.
  #dismissIdle() {
    const { owner } = this.session
    if (!owner || Date.now() - owner.lastMessage < this.limits.idleTransactionMs) return
    log('idle_in_transaction', { id: owner.id })
    owner.dismiss('25P03', 'terminating connection due to idle-in-transaction timeout')
  }

  // Without checkpoints the WAL grows for ever, and recovery takes 14 ms for each of its megabytes.
  #checkpointIfDue() {
    const { backend } = this.session
    const position = backend.value('SELECT pg_current_wal_lsn()')
    if (this.#checkpointed === null) this.#checkpointed = position // the start-up ended with one
    if (position === this.#checkpointed) return
    const bytes = Number(backend.value(`SELECT pg_wal_lsn_diff('${position}', '${this.#checkpointed}')`))
    const late = Date.now() - this.#lastCheckpoint >= this.limits.checkpointMs
    if (late || bytes >= this.limits.checkpointMegabytes * 2 ** 20) this.#checkpoint(backend, bytes)
  }

  #checkpoint(backend, walBytes) {
    const started = performance.now()
    const { error } = backend.run('CHECKPOINT')
    this.#lastCheckpoint = Date.now()
    this.#checkpointed = backend.value('SELECT pg_current_wal_lsn()')
    const tookMs = Math.round(performance.now() - started)
    log('checkpoint', { error: error && errorText(error), walBytes, tookMs, syncs: counter.syncs, heapMiB: backend.megabytes })
  }
}
