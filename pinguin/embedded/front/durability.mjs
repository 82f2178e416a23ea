// A real fsync. Emscripten's file system on top of Node has none, and its fdatasync is `return 0`: a commit would reach the page
// cache only, which survives kill -9 but not the loss of power. So both imports of the WASM module are replaced.
import fs from 'node:fs'
import path from 'node:path'

const IO_ERROR = 29 // EIO, as WASI counts
/** How often the database asked for it: in the log, this shows that the replacement is in force. */
export const counter = { syncs: 0 }

const NOTHING_TO_SYNC = new Set(['EINVAL', 'EBADF', 'EISDIR'])

function syncDirectory(stream, FS) {
  const { mount } = stream.node
  if (mount.opts?.root === undefined) return
  const inside = FS.getPath(stream.node).slice(mount.mountpoint.length)
  const fd = fs.openSync(path.join(mount.opts.root, inside), 'r')
  try { fs.fsyncSync(fd) } finally { fs.closeSync(fd) }
}

function syncing(module, syncFile) {
  return fd => {
    counter.syncs++
    try {
      const stream = module().FS.getStream(fd)
      if (stream?.nfd !== undefined) syncFile(stream.nfd)
      else if (stream && module().FS.isDir(stream.node.mode)) syncDirectory(stream, module().FS)
      return 0
    } catch (error) {
      return NOTHING_TO_SYNC.has(error.code) ? 0 : IO_ERROR
    }
  }
}

/** An extension in PGlite's sense: it only changes how the module is instantiated. */
export const realFsync = {
  name: 'real-fsync',
  async setup(pg, options) {
    const module = () => pg.Module ?? options
    const replacements = { fd_sync: syncing(module, fs.fsyncSync), __syscall_fdatasync: syncing(module, fs.fdatasyncSync) }
    const instantiateWasm = (imports, done) => {
      for (const namespace of Object.values(imports))
        for (const [name, replacement] of Object.entries(replacements)) if (name in namespace) namespace[name] = replacement
      return options.instantiateWasm(imports, done)
    }
    return { emscriptenOpts: { ...options, instantiateWasm } }
  },
}

/** Syncs every file and directory of a tree: what was written before anything called fsync. */
export function syncTree(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name)
    if (entry.isDirectory()) syncTree(name)
    else if (entry.isFile()) syncPath(name)
  }
  syncPath(folder)
}

export function syncPath(name) {
  const fd = fs.openSync(name, 'r')
  try { fs.fsyncSync(fd) } finally { fs.closeSync(fd) }
}
