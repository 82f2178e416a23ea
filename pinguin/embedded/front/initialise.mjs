// node initialise.mjs DIR: makes a new database. Ended at any moment, it leaves either no DIR or a whole one.
import fs from 'node:fs'
import path from 'node:path'
import { create } from './backend.mjs'
import { syncPath, syncTree } from './durability.mjs'

const target = path.resolve(process.argv[2])
const draft = `${target}.new`
fs.rmSync(draft, { recursive: true, force: true })
await create(draft)
syncTree(draft)
fs.renameSync(draft, target)
syncPath(path.dirname(target))
process.exit(0)
