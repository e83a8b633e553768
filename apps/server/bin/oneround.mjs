#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { compile } from '../../../scripts/compile.mjs';

await import(await compile(fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))));
