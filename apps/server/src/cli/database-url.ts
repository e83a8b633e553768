/** `--database-url`, or `DATABASE_URL`, which keeps its password out of the list of processes. */
import { Option } from 'commander';

/** The option, with what it does in this command. */
export function databaseUrlOption(description: string): Option {
  return new Option('--database-url <url>', description).env('DATABASE_URL');
}
