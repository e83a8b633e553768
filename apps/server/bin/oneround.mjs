#!/usr/bin/env node
// The command: TypeScript runs through tsx, without a build step.
import { register } from 'tsx/esm/api';

register();
await import('../src/cli/main.ts');
