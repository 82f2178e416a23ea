// The start-up of a connection, answered here. The backend's own would set a global "authentication in progress" that swallows
// everybody else's ReadyForQuery.
import { randomInt } from 'node:crypto'
import { ProtocolError, failure, int32, message } from './messages.mjs'

const CANCEL = 80877102
const ENCRYPTION = new Set([80877103, 80877104]) // SSLRequest, GSSENCRequest
const DATABASE = 'postgres'
const NOT_SETTINGS = new Set(['user', 'database', 'options', 'replication', 'application_name', 'client_encoding'])

/** What a start-up packet asks for: {kind: 'encryption' | 'cancel' | 'start', …}. */
export function readStartup(packet) {
  const code = packet.readInt32BE(4)
  if (ENCRYPTION.has(code)) return { kind: 'encryption' }
  if (code === CANCEL) return { kind: 'cancel' }
  if (code >>> 16 !== 3) throw new ProtocolError(`protocol ${code >>> 16}`)
  return { kind: 'start', newer: (code & 0xffff) !== 0, wishes: pairs(packet.toString('utf8', 8).split('\0')) }
}

function pairs(texts) {
  const found = new Map()
  for (let i = 0; i + 1 < texts.length && texts[i]; i += 2) found.set(texts[i], texts[i + 1])
  return found
}

/** The settings among the wishes, [name, value], also those of options='-c name=value'. */
export function* settingsIn(wishes) {
  for (const [, name, value] of (wishes.get('options') ?? '').matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|\S)*)/g))
    if (name.toLowerCase() !== 'client_encoding') yield [name, value.replace(/\\(.)/g, '$1')]
  for (const [name, value] of wishes) if (/^\w+(\.\w+)?$/.test(name) && !NOT_SETTINGS.has(name)) yield [name, value]
}

export function refusal(wishes) {
  const database = wishes.get('database') ?? wishes.get('user')
  return database === DATABASE ? null : failure('FATAL', '3D000', `database "${database}" does not exist; there is only "${DATABASE}"`)
}

export function welcome({ newer, wishes }, id, parameters) {
  const application = ['application_name', wishes.get('application_name') ?? '']
  return Buffer.concat([
    ...(newer ? [message('v', int32(0), int32(0))] : []), // we speak 3.0
    message('R', int32(0)),
    ...[...parameters, application].map(([name, value]) => message('S', name, value)),
    message('K', int32(id), int32(randomInt(2 ** 31))),
    message('Z', Buffer.from('I')),
  ])
}
