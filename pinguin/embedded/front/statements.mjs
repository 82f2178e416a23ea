// The few SQL statements that reach beyond their transaction, recognised by text.

const BLANK = String.raw`(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`
// One statement to its end. A second one would be replayed with the SET before it, and might be an INSERT.
const ONE = String.raw`(?:[^;']|'[^']*')*;?\s*$`
const NAME = String.raw`("[^"]+"|[\w$]+)`
const END = String.raw`\s*;?\s*$`
const pattern = text => new RegExp('^' + BLANK + text, 'i')

const SET = pattern(String.raw`set\s+(?!local\b|transaction\b|constraints\b)` + ONE)
const SET_NAME = pattern(String.raw`set\s+(?:session\s+)?(time\s+zone|"[^"]+"|[\w.]+)`)
const ENCODING = pattern(String.raw`set\s+(?:session\s+|local\s+)?(?:"?client_encoding"?\s*(?:=|\s+to\s)|names\b)`)
const TRANSIENT = pattern(String.raw`set\s+(?:local|transaction|constraints)\b` + ONE)
const CHANGES = new RegExp(String.raw`^${BLANK}(?:set|reset|discard)\s|;${BLANK}(?:set|reset)\s|\bset_config\s*\(`, 'i')
const RESET = pattern(String.raw`reset\s+(time\s+zone|session\s+authorization|"[^"]+"|[\w.]+)` + END)
const LISTEN = pattern(String.raw`listen\s+` + NAME + END)
const UNLISTEN = pattern(String.raw`unlisten\s+(\*|"[^"]+"|[\w$]+)` + END)
const DISCARD_ALL = pattern('discard\\s+all' + END)
const DEALLOCATE = pattern(String.raw`deallocate\s+(?:prepare\s+)?` + NAME + END)
const COPY_IN = pattern(String.raw`copy\s+(?!\()[\s\S]*?\bfrom\s+stdin\b`)
const COPY_BINARY = /\bwith\s+binary|\bformat\s+'?"?binary/i

const unquoted = name => (name.startsWith('"') ? name.slice(1, -1) : name.toLowerCase())
const nameIn = (expression, sql) => {
  const found = expression.exec(sql)
  return found ? unquoted(found[1]) : null
}
const oneWord = name => name.toLowerCase().replace(/\s+/g, '').replace('sessionauthorization', 'authorization')

export const isSet = sql => SET.test(sql)
export const isCopyIn = sql => COPY_IN.test(sql)
export const isBinaryCopy = sql => COPY_BINARY.test(sql)
export const isDiscardAll = sql => DISCARD_ALL.test(sql)
export const setsEncoding = sql => ENCODING.test(sql)
export const changesSettings = sql => CHANGES.test(sql)
/** Whether it may change settings in a way that cannot be replayed. */
export const leavesTraces = sql => changesSettings(sql) && !isSet(sql) && !TRANSIENT.test(sql) && !RESET.test(sql)
/** 'time zone' is the setting timezone, in SET and in RESET. */
export const settingName = sql => oneWord(nameIn(SET_NAME, sql) ?? sql)
export const resetName = sql => {
  const name = nameIn(RESET, sql)
  return name && oneWord(name)
}
export const listenChannel = sql => nameIn(LISTEN, sql)
export const unlistenChannel = sql => nameIn(UNLISTEN, sql)
export const deallocateName = sql => nameIn(DEALLOCATE, sql)
