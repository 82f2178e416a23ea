// COPY FROM STDIN: held back and handed over as one unit.
import { message, split, typeOf } from './messages.mjs'

const MOST_DATA = 256 * 2 ** 20

export class CopyIn {
  #parts
  #size = 0

  constructor(statement) {
    this.#parts = [statement]
  }

  static response(binary) {
    return message('G', Buffer.from([binary ? 1 : 0, 0, 0]))
  }

  /** The backend says that COPY starts; the client was told long ago. */
  static withoutResponse(reply) {
    const parts = [...split(reply.bytes)].filter(part => typeOf(part) !== 'G')
    return { ...reply, bytes: Buffer.concat(parts) }
  }

  add(data) {
    this.#size += data.length
    if (this.#size <= MOST_DATA) this.#parts.push(data)
    else this.#parts.length = 1
  }

  finish(type, last) {
    if (this.#size > MOST_DATA) last = message('f', `COPY of more than ${MOST_DATA >> 20} MiB at once`)
    else if (type !== 'c' && type !== 'f') last = message('f', 'unexpected message during COPY')
    return Buffer.concat([...this.#parts, last])
  }
}
