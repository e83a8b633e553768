/** Running a server: its log, its figures, whether it is ready, whether its disk has room. Knows no protocol and no SQL. */
export { Activity, type RequestIds } from './activity.ts';
export { DiskGuard, type FreeBytes } from './disk-guard.ts';
export { makeLogger, type LogFormat, logFormats, type LogLevel, logLevels } from './log.ts';
export { isLoopback, mayReadMetrics } from './metrics-access.ts';
export { ServerMetrics, type LiveFigures } from './metrics.ts';
export { networkOf } from './network-of.ts';
export { Readiness } from './readiness.ts';
export { within } from './within.ts';
