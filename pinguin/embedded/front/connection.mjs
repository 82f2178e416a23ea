// One client: its socket, its start-up, and the messages that wait for their turn.
import { BackendDied } from './backend.mjs'
import { Dialogue } from './dialogue.mjs'
import { Inbox, ProtocolError, failure } from './messages.mjs'
import { readStartup, refusal, settingsIn, welcome } from './startup.mjs'
import { log } from './log.mjs'

const QUEUE_BYTES = 2 ** 20 // more than this waiting: stop reading for a while
const REPLY_BYTES = 2 ** 16 // more than this is sent, whatever follows
let lastId = 0

export class Connection {
  id = ++lastId
  lastMessage = Date.now()
  closed = false
  #inbox = new Inbox()
  #queue = []
  #queued = 0
  #replies = [] // of the message that is handled now and of those before it, until the client waits for them
  #unsent = 0
  #stepping = false
  #started = false
  #vanished = false

  constructor(socket, backend, session) {
    this.socket = socket
    this.backend = backend
    this.session = session
    this.dialogue = new Dialogue(backend, this)
    socket.on('data', chunk => this.#guard(() => this.#receive(chunk)))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#closed())
  }

  get waiting() {
    return this.#queue.length > 0 || (this.closed && this.#started && !this.#vanished)
  }

  write(bytes) {
    this.#replies.push(bytes)
    this.#unsent += bytes.length
    if (!this.#stepping || this.#unsent > REPLY_BYTES) this.#send()
  }

  end() {
    this.#send()
    this.socket.destroySoon()
  }

  // Not after the last byte was read: a client that reads nothing would keep the session.
  dismiss(code, text) {
    this.write(failure('FATAL', code, text))
    this.#send()
    this.socket.destroy()
  }

  /** Handles the next waiting message. Only the owner of the session may. */
  step() {
    this.lastMessage = Date.now()
    if (this.#queue.length === 0) {
      this.#vanished = true
      return this.dialogue.vanish()
    }
    const bytes = this.#queue.shift()
    this.#queued -= bytes.length
    if (this.#queued < QUEUE_BYTES && this.socket.isPaused()) this.socket.resume()
    this.#stepping = true
    this.#guard(() => this.dialogue.handle(bytes))
    this.#stepping = false
    if (this.#queue.length === 0 || !this.dialogue.busy) this.#send()
  }

  // A query is five messages that come at once. To write, and to wake the client, costs more than many a query: once is enough.
  #send() {
    if (this.#unsent && !this.closed) this.socket.write(this.#replies.length === 1 ? this.#replies[0] : Buffer.concat(this.#replies))
    this.#replies = []
    this.#unsent = 0
  }

  #receive(chunk) {
    if (this.socket.destroyed) return
    this.#inbox.push(chunk)
    while (!this.#started) if (!this.#start()) return
    for (let bytes; (bytes = this.#inbox.message());) {
      this.#queue.push(bytes)
      this.#queued += bytes.length
    }
    if (this.#queued >= QUEUE_BYTES) this.socket.pause()
    if (this.#queue.length) this.session.request(this)
  }

  /** Whether a packet was read and more may follow. */
  #start() {
    const packet = this.#inbox.startup()
    if (!packet) return false
    const request = readStartup(packet)
    if (request.kind === 'encryption') this.write(Buffer.from('N'))
    else if (request.kind === 'cancel') this.end() // nothing can interrupt the backend
    else this.#welcome(request)
    return request.kind !== 'cancel'
  }

  #welcome(request) {
    const refused = refusal(request.wishes)
    if (refused) throw new ProtocolError('no such database', { cause: refused })
    this.dialogue.begin(settingsIn(request.wishes))
    this.#started = true
    this.write(welcome(request, this.id, this.backend.parameters))
  }

  // A malformed message, or a fault of ours, ends this client and nobody else.
  #guard(work) {
    try {
      work()
    } catch (error) {
      if (error instanceof BackendDied) throw error
      this.#queue = []
      this.#queued = 0
      if (error instanceof ProtocolError) this.#refuse(error)
      else this.#apologise(error)
    }
  }

  #refuse(error) {
    log('client_refused', { id: this.id, reason: error.message })
    if (this.#started) return this.dismiss('08P01', `protocol violation: ${error.message}`)
    if (error.cause) this.write(error.cause) // in words that a PostgreSQL client understands; not to one that speaks HTTP
    this.socket.destroy()
  }

  #apologise(error) {
    log('client_failed', { id: this.id, error: error.stack })
    this.dismiss('XX000', 'internal error of the front')
  }

  #closed() {
    this.closed = true
    this.session.leave(this)
  }
}
