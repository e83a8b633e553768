/** Holds a folder's lock until it is killed: `node scripts/run.mjs hold-lock.ts <folder> [owner as JSON]`. */
import { lockDataDir, thisProcess, type LockOwner } from '../ledger/data-lock.ts';

const [folder, owner] = process.argv.slice(2);
if (!folder) throw new Error('usage: hold-lock.ts <folder> [owner as JSON]');
lockDataDir(folder, owner === undefined ? thisProcess() : (JSON.parse(owner) as LockOwner));
process.send?.('held');
process.on('disconnect', () => process.exit(1));
