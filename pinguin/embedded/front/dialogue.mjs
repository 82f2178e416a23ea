// What the messages of one client mean for the one backend. Every method runs while this client owns the backend.
import { CopyIn } from './copy.mjs'
import { log } from './log.mjs'
import { ProtocolError, SYNC, message, query, text, textAt, typeOf } from './messages.mjs'
import { BASE, RESET_SQL, Settings } from './settings.mjs'
import * as statements from './statements.mjs'

const UTF8 = "SET client_encoding = 'UTF8'"
const NOTHING = "SET pinguin.nothing = ''" // done by ourselves already; still an error in a failed transaction
const STATEMENT = 'S'.charCodeAt(0)

export class Dialogue {
  settings = new Settings()
  channels = new Set()
  tainted = false // settings were changed in a way that cannot be replayed
  #statements = new Map() // name → SQL
  #portals = new Map()
  #unsynced = false
  #skipping = false
  #failed = false
  #tag = null
  #copy = null
  #told // parameter → the value that the client was last told
  #outdated = false

  /** @param client {id, write(bytes), end()} */
  constructor(backend, client) {
    this.backend = backend
    this.client = client
    this.prefix = `c${client.id}_`
    this.#told = new Map(backend.parameters)
  }

  /** Whether the backend must not go to another client yet. */
  get busy() {
    return this.backend.status !== 'I' || this.#unsynced || this.#copy !== null
  }

  get leavesTraces() {
    return this.tainted || this.settings.size > 0
  }

  /** With these settings, [name, value]: they take effect with the first message. */
  begin(settings) {
    for (const [name, value] of settings) this.settings.assign(name, value)
    this.#outdated = this.settings.size > 0
  }

  handle(bytes) {
    const type = typeOf(bytes)
    if (type === 'X') return this.client.end()
    if (this.#copy) return this.#copyMessage(type, bytes)
    if (this.#skipping && type !== 'S') return // after an error the server reads on to the next Sync; so do we, to know what it knows
    switch (type) {
      case 'Q': return this.#query(bytes)
      case 'P': return this.#parse(bytes)
      case 'B': return this.#bind(bytes)
      case 'D': case 'C': return this.#describeOrClose(type, bytes)
      case 'E': return this.#execute(bytes)
      case 'S': return this.#run(bytes)
      case 'H': return // replies are sent as soon as the client has nothing more to say
      case 'd': case 'c': case 'f': return // what a client still sends after its COPY has failed
      // An unknown type, or a password that nobody asked for, would be FATAL for the backend, and so for everyone.
      default: throw new ProtocolError(`message type ${bytes[0]}`)
    }
  }

  /** The client is gone. */
  vanish() {
    this.#copy = null
    this.backend.abandon()
    this.#unsynced = this.#skipping = false
    this.#dropStatements()
  }

  /** Puts our settings on the session; another client had it. */
  replay() {
    for (const sql of this.settings.statements()) {
      if (this.backend.run(sql).error) log('replay_failed', { sql })
    }
    if (this.#outdated) this.#report()
  }

  #query(bytes) {
    const [sql] = textAt(bytes, 5)
    if (statements.isCopyIn(sql)) return this.#copyBegin(bytes, sql)
    const translated = this.#translate(sql)
    this.#run(translated === sql ? bytes : query(translated))
  }

  #parse(bytes) {
    const [name, afterName] = textAt(bytes, 5)
    const [sql, afterSql] = textAt(bytes, afterName)
    this.#unsynced = true
    const translated = this.#translate(sql)
    const rest = translated === sql ? bytes.subarray(afterName) : Buffer.concat([text(translated), bytes.subarray(afterSql)])
    const { error } = this.#run(message('P', name && this.prefix + name, rest))
    if (!error) this.#statements.set(name, translated)
  }

  #bind(bytes) {
    const [portal, afterPortal] = textAt(bytes, 5)
    const [name, afterName] = textAt(bytes, afterPortal)
    this.#unsynced = true
    this.#portals.set(portal, this.#statements.get(name) ?? '')
    this.#run(name ? message('B', portal, this.prefix + name, bytes.subarray(afterName)) : bytes)
  }

  #describeOrClose(type, bytes) {
    const [name] = textAt(bytes, 6)
    const named = name && bytes[5] === STATEMENT // a portal lives in its transaction, so it needs no prefix
    this.#unsynced = true
    if (named && type === 'C') this.#statements.delete(name)
    this.#run(named ? message(type, 'S'.concat(this.prefix, name)) : bytes)
  }

  #execute(bytes) {
    const sql = this.#portals.get(textAt(bytes, 5)[0]) ?? ''
    this.#unsynced = true
    if (statements.isCopyIn(sql)) this.#copyBegin(bytes, sql)
    else this.#run(bytes)
  }

  #run(bytes) {
    const reply = this.backend.feed(bytes, this.settings.timeoutMs)
    this.#answer(reply)
    return reply
  }

  #answer(reply) {
    if (reply.ready && this.#outdated) this.#report()
    this.client.write(reply.bytes)
    this.#tag = reply.tag ?? this.#tag
    if (reply.error) {
      this.#failed = true
      this.#skipping = this.#unsynced
    }
    if (reply.ready) this.#ready()
  }

  #ready() {
    if (this.backend.status === 'I') {
      this.settings.settle(!this.#failed && this.#tag !== 'ROLLBACK')
      this.#portals.clear()
    }
    this.#unsynced = this.#skipping = this.#failed = false
  }

  // The build never sends ParameterStatus. psycopg reads times by TimeZone, and dates by DateStyle.
  #report() {
    const { status } = this.backend
    if (status === 'E') return // SHOW would fail
    for (const [name, told] of this.#told) {
      const value = this.backend.value(`SHOW ${name}`)
      if (value !== told) this.client.write(message('S', name, value))
      this.#told.set(name, value)
    }
    this.#outdated = status !== 'I' // a rollback would change them back
  }

  // COPY FROM STDIN wants its data within one call, so the statement waits until all of it is here.
  #copyBegin(bytes, sql) {
    this.#copy = new CopyIn(bytes)
    this.client.write(CopyIn.response(statements.isBinaryCopy(sql)))
  }

  #copyMessage(type, bytes) {
    if (type === 'd') return this.#copy.add(bytes)
    if (type === 'S' || type === 'H') return // the server ignores them within COPY
    const whole = this.#copy.finish(type, bytes)
    this.#copy = null
    this.#answer(CopyIn.withoutResponse(this.backend.feed(whole)))
  }

  /** The SQL to run for the client's: statements that reach across clients are done here, or renamed. */
  #translate(sql) {
    if (statements.setsEncoding(sql)) return UTF8 // the build can convert nothing: any other encoding traps at the first ä
    if (this.backend.status === 'E') return sql
    this.#outdated ||= statements.changesSettings(sql)
    this.tainted ||= statements.leavesTraces(sql)
    if (statements.isSet(sql)) this.settings.propose(sql)
    return this.#channel(sql) ?? this.#deallocate(sql) ?? this.#reset(sql) ?? sql
  }

  #channel(sql) {
    const listen = statements.listenChannel(sql)
    if (listen !== null) this.channels.add(listen)
    const unlisten = statements.unlistenChannel(sql)
    if (unlisten === null) return null
    if (unlisten === '*') this.channels.clear()
    else this.channels.delete(unlisten)
    return NOTHING // others may listen still
  }

  #deallocate(sql) {
    const name = statements.deallocateName(sql)
    if (name === 'all') {
      this.#dropStatements()
      return NOTHING
    }
    return name !== null && this.#statements.delete(name) ? `DEALLOCATE "${this.prefix}${name}"` : null
  }

  #reset(sql) {
    if (statements.isDiscardAll(sql) && this.backend.status === 'I') {
      this.#dropStatements()
      this.channels.clear()
      return this.#resetAll()
    }
    const name = statements.resetName(sql)
    if (name === 'all') return this.#resetAll()
    if (name === null) return null
    this.settings.forget(name)
    return name in BASE ? `SET ${name} = '${BASE[name]}'` : null
  }

  #resetAll() {
    this.settings.forget('all')
    this.backend.run(RESET_SQL)
    return NOTHING
  }

  #dropStatements() {
    for (const name of this.#statements.keys()) if (name) this.backend.feed(message('C', 'S'.concat(this.prefix, name)))
    if (this.#statements.size && !this.#unsynced) this.backend.feed(SYNC)
    this.#statements.clear()
  }
}
