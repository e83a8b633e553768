/** Runs a TypeScript program of this repository: `node scripts/run.mjs PROGRAM.ts [arguments]`. */
import { resolve } from 'node:path';
import { compile } from './compile.mjs';

// As if Node had been given the program itself.
process.argv.splice(1, 1);
process.argv[1] = resolve(process.argv[1]);
await import(await compile(process.argv[1]));
