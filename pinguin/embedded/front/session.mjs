// Who has the one session: from a client's first message to the ReadyForQuery that ends its transaction, nobody else.
import { BackendDied } from './backend.mjs'
import { Connection } from './connection.mjs'
import { log } from './log.mjs'
import { RESET_SQL } from './settings.mjs'

const TURN_MS = 20 // then the event loop gets its turn: sockets, signals, timers

export class Session {
  connections = new Set()
  owner = null
  #previous = null
  #waiting = [] // connections, and jobs of our own
  #pumping = false
  #dead = false

  constructor(backend, onDeath) {
    this.backend = backend
    this.onDeath = onDeath
    backend.onNotification = (channel, bytes) => this.#notify(channel, bytes)
  }

  accept(socket) {
    this.connections.add(new Connection(socket, this.backend, this))
  }

  /** The client has something to do. */
  request(connection) {
    if (connection !== this.owner && !this.#waiting.includes(connection)) this.#waiting.push(connection)
    this.#wake()
  }

  leave(connection) {
    this.connections.delete(connection)
    if (connection.waiting) this.request(connection)
  }

  /** Runs a job between two transactions, in its turn. */
  between(job) {
    if (!this.#waiting.includes(job)) this.#waiting.push(job)
    this.#wake()
  }

  dismissAll(code, text) {
    for (const connection of this.connections) connection.dismiss(code, text)
  }

  #notify(channel, bytes) {
    for (const connection of this.connections) if (connection.dialogue.channels.has(channel)) connection.write(bytes)
  }

  #wake() {
    if (this.#pumping || this.#dead) return
    this.#pumping = true
    setImmediate(() => this.#pump())
  }

  #pump() {
    this.#pumping = false
    const until = performance.now() + TURN_MS
    try {
      while (this.#next()) if (performance.now() > until) return this.#wake()
    } catch (error) {
      this.#dead = true
      log('session_failed', { error: error.stack, cause: error.cause?.stack })
      this.onDeath(error instanceof BackendDied ? 'the embedded database crashed' : 'the front failed')
    }
  }

  /** One message of the owner, or one job; false when there is nothing to do before somebody sends more. */
  #next() {
    if (!this.owner) return this.#take()
    if (this.owner.waiting) this.owner.step()
    else if (this.owner.dialogue.busy) return false
    if (!this.owner.dialogue.busy) this.#release()
    return true
  }

  #take() {
    const next = this.#waiting.shift()
    if (next === undefined) return false
    if (next instanceof Connection) this.#handOver(next)
    else this.#work(next)
    return true
  }

  #release() {
    const connection = this.owner
    this.owner = null
    if (connection.waiting) this.#waiting.push(connection) // behind the others
  }

  #handOver(connection) {
    this.owner = connection
    connection.lastMessage = Date.now()
    if (connection === this.#previous) return
    if (this.#previous?.dialogue.leavesTraces || connection.dialogue.leavesTraces) {
      this.#clear()
      connection.dialogue.replay()
    }
    this.#previous = connection
  }

  #work(job) {
    if (this.#previous?.dialogue.leavesTraces) { // we may stand in somebody's SET ROLE
      this.#clear()
      this.#previous = null
    }
    job()
  }

  #clear() {
    this.backend.run(RESET_SQL)
    if (this.#previous) this.#previous.dialogue.tainted = false
  }
}
