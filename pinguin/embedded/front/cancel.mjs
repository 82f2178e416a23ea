// PostgreSQL's own way to cancel a statement, from outside: the flags that a signal handler would set.

// After InterruptPending in memory, in 32-bit words. The package is pinned by its content, and `works` looks whether they are right.
const QUERY_CANCEL_PENDING = 1
const INTERRUPT_HOLDOFF_COUNT = 11

export class Cancel {
  #module
  #place
  #holdoff = 0
  #asked = false

  constructor(module) {
    this.#module = module
    this.#place = module._InterruptPending >> 2
  }

  /** Before a message: this build holds interrupts off for ever, which is one too many; what is held off besides is for a reason. */
  begin() {
    this.#holdoff = this.#words[this.#place + INTERRUPT_HOLDOFF_COUNT]
    this.#asked = false
  }

  /** Within a message: the backend ends it with an error as soon as it may. */
  ask() {
    if (this.#asked) return
    this.#asked = true
    const words = this.#words
    words[this.#place + INTERRUPT_HOLDOFF_COUNT] -= this.#holdoff
    words[this.#place + QUERY_CANCEL_PENDING] = 1
    words[this.#place] = 1
  }

  /** After it: one that came too late must not meet the next statement. */
  end() {
    if (!this.#asked) return
    const words = this.#words
    words[this.#place] = words[this.#place + QUERY_CANCEL_PENDING] = 0
    words[this.#place + INTERRUPT_HOLDOFF_COUNT] = this.#holdoff
  }

  // Anew each time: the memory moves when it grows.
  get #words() {
    return this.#module.HEAP32
  }
}
