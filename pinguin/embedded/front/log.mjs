// One JSON object a line on stderr. When the parent is gone, so may be the reader: that must not end us before the checkpoint.

process.stderr.on('error', () => {})

export function log(event, fields = {}) {
  process.stderr.write(JSON.stringify({ timestamp: new Date().toISOString(), event, ...fields }) + '\n')
}
