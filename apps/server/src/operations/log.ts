/** The log: one line per event on stderr. Ids, durations and counts; never an address or a user agent. */
import { pino, type Logger } from 'pino';
import { PinoPretty as pinoPretty } from 'pino-pretty';

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `json` is for machines, `pretty` for a person at a terminal. */
export const logFormats = ['pretty', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

const STDERR = 2;

/** A logger on stderr. Lines are written before the call returns, so that a crash loses none. */
export function makeLogger(level: LogLevel, format: LogFormat): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (format === 'json') return pino(options, pino.destination({ dest: STDERR, sync: true }));
  return pino(options, pinoPretty({ destination: STDERR, sync: true, translateTime: 'SYS:HH:MM:ss.l' }));
}
