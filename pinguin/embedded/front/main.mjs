// node --stack-size=3900 main.mjs --data DIR --socket PATH --lock-fd FD
//
// Serves the database in DIR on a unix socket (or --port on the loopback) until SIGTERM, or until stdin ends: then the parent is gone.
// Exit codes: 0 asked to stop, 64 wrong options, 70 the database trapped, so start again.
import fs from 'node:fs'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { open } from './backend.mjs'
import { counter } from './durability.mjs'
import { Housekeeping } from './housekeeping.mjs'
import { log } from './log.mjs'
import { Session } from './session.mjs'

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    socket: { type: 'string' },
    port: { type: 'string' },
    'lock-fd': { type: 'string' },
    'no-fsync': { type: 'boolean', default: false },
    'idle-transaction-ms': { type: 'string', default: '60000' },
    'checkpoint-ms': { type: 'string', default: '300000' },
    'checkpoint-megabytes': { type: 'string', default: '64' },
  },
})

// PGlite opens a directory twice without a word, and Node cannot flock: whoever starts us holds the lock and lets us inherit it.
function requireLock(fd) {
  try {
    fs.fstatSync(Number(fd ?? NaN))
  } catch {
    log('no_lock', { fix: 'pass --lock-fd with an inherited descriptor that holds a flock for the data directory' })
    process.exit(64)
  }
}

requireLock(options['lock-fd'])
const started = performance.now()
const backend = await open(options.data, { fsync: !options['no-fsync'] })
const session = new Session(backend, died)
const housekeeping = new Housekeeping(session, {
  idleTransactionMs: Number(options['idle-transaction-ms']),
  checkpointMs: Number(options['checkpoint-ms']),
  checkpointMegabytes: Number(options['checkpoint-megabytes']),
})
const server = net.createServer(socket => session.accept(socket))

function died(reason) {
  session.dismissAll('57P02', reason)
  setTimeout(() => process.exit(70), 50)
}

let stopping = false
function stop(reason) {
  if (stopping) return
  stopping = true
  log('stopping', { reason, syncs: counter.syncs })
  housekeeping.stop()
  server.close()
  session.dismissAll('57P01', 'terminating connection due to administrator command')
  setTimeout(shutDown, 20) // for the farewells to leave
}

function shutDown() {
  try {
    backend.abandon()
    backend.run('RESET SESSION AUTHORIZATION; RESET ROLE')
    backend.run('CHECKPOINT')
    backend.close()
  } catch (error) {
    log('shutdown_failed', { error: error.stack }) // what was committed is in the WAL
  }
  process.exit(0)
}

process.on('SIGTERM', () => stop('SIGTERM'))
process.on('SIGINT', () => stop('SIGINT'))
process.stdin.on('end', () => stop('parent gone')).on('error', () => stop('parent gone')).resume()

function listen() {
  if (!options.socket) return server.listen(Number(options.port), '127.0.0.1', ready)
  fs.rmSync(options.socket, { force: true }) // of a run that was killed: we hold the lock
  server.listen(options.socket, ready)
}

function ready() {
  if (options.socket) fs.chmodSync(options.socket, 0o600)
  housekeeping.start()
  const [[, version]] = backend.parameters
  log('ready', { pid: process.pid, version, tookMs: Math.round(performance.now() - started) })
}

listen()
