// What a session is set to. The backend has one session; each client believes that it has its own.
import { settingName } from './statements.mjs'

// The build starts with sequential scans off, verbose logs and catalogue changes allowed, and it ignores postgresql.conf and
// ALTER ROLE/DATABASE … SET: these must be set at each start and again after each RESET.
export const BASE = {
  max_stack_depth: '1GB', // measured from the old stack's base, so meaningless: backend.mjs moves the stack
  enable_seqscan: 'on',
  timezone: 'UTC',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  search_path: 'public',
  log_min_messages: 'warning',
  allow_system_table_mods: 'off',
}

export const BASE_SQL = Object.entries(BASE).map(([name, value]) => `SET ${name} = '${value}'`).join('; ')
export const RESET_SQL = `RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; ${BASE_SQL}`

const TIMEOUT = /(?:=|\bto\b|,)\s*'?([\d.]+)\s*(us|ms|s|min|h|d)?'?/i
const MILLISECONDS = { us: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** The SET statements of one client, by setting: the last one counts, in the order in which they were given. */
export class Settings {
  #kept = new Map()
  #pending = []

  get size() {
    return this.#kept.size
  }

  assign(name, value) {
    const [setting, text] = [name, value].map(part => part.replaceAll("'", "''"))
    this.#keep(name.toLowerCase(), `SELECT set_config('${setting}', '${text}', false)`) // SET takes a list for one name
  }

  propose(sql) {
    this.#pending.push(sql)
  }

  /** The transaction that the proposals were made in has ended. */
  settle(committed) {
    if (committed) this.#pending.forEach(sql => this.#keep(settingName(sql), sql))
    this.#pending = []
  }

  /** What the client set statement_timeout to, in milliseconds; 0 for no limit. `SET LOCAL` does not count. */
  get timeoutMs() {
    const sql = this.#kept.get('statement_timeout')
    if (sql === undefined) return 0
    const [, number, unit] = TIMEOUT.exec(sql) ?? [null, '0']
    return Math.ceil(Number(number) * MILLISECONDS[(unit ?? 'ms').toLowerCase()])
  }

  forget(name) {
    if (name === 'all') this.#kept.clear()
    else this.#kept.delete(name)
  }

  statements() {
    return [...this.#kept.values()]
  }

  #keep(name, sql) {
    this.#kept.delete(name)
    this.#kept.set(name, sql)
  }
}
