// PostgreSQL's wire protocol, version 3: a type byte, a length that counts itself, a body.

const LARGEST = 256 * 2 ** 20
const LARGEST_STARTUP = 10_000

export class ProtocolError extends Error {}

export function int32(number) {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(number)
  return bytes
}

export const text = string => Buffer.from(string + '\0')

/** A message of one type; strings among the parts become zero-terminated. */
export function message(type, ...parts) {
  const body = Buffer.concat(parts.map(part => (typeof part === 'string' ? text(part) : part)))
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

export const SYNC = message('S')

export const query = sql => message('Q', sql)

export const typeOf = bytes => String.fromCharCode(bytes[0])

export function failure(severity, code, reason) {
  return message('E', Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${reason}\0\0`))
}

/** The zero-terminated text at an index, and the index after it. */
export function textAt(bytes, start) {
  const end = bytes.indexOf(0, start)
  if (end < 0) throw new ProtocolError('a text without an end')
  return [bytes.toString('utf8', start, end), end + 1]
}

export function* split(bytes) {
  for (let start = 0; start + 5 <= bytes.length;) {
    const end = start + 1 + bytes.readInt32BE(start + 1)
    yield bytes.subarray(start, end)
    start = end
  }
}

/** Cuts what a socket delivers into whole messages. */
export class Inbox {
  #chunks = []
  #size = 0

  push(chunk) {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  startup() {
    return this.#cut(0, 8, LARGEST_STARTUP)
  }

  message() {
    return this.#cut(1, 4, LARGEST)
  }

  #cut(header, least, most) {
    if (this.#size < header + 4) return null
    const length = this.#front(header + 4).readInt32BE(header)
    if (length < least || length > most) throw new ProtocolError(`a message of ${length} bytes`)
    const whole = header + length
    if (this.#size < whole) return null
    const bytes = this.#front(whole)
    if (bytes.length > whole) this.#chunks[0] = bytes.subarray(whole)
    else this.#chunks.shift()
    this.#size -= whole
    return bytes.subarray(0, whole)
  }

  // Joins only when the first chunk is too short, so that a message of many chunks is copied once, not once a chunk.
  #front(length) {
    if (this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]
  }
}
