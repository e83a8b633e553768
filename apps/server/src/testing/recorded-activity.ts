/** An `Activity` whose log and figures a test can read. */
import { pino } from 'pino';
import { Activity, ServerMetrics } from '../operations/index.ts';
import { figure } from './resident-memory.ts';

export interface RecordedActivity {
  activity: Activity;
  /** What was logged, parsed. */
  lines: Record<string, unknown>[];
  /** The value of a series now. */
  counted: (series: string) => Promise<number>;
}

/** `now`: milliseconds on any clock. */
export function recordActivity(now?: () => number): RecordedActivity {
  const lines: Record<string, unknown>[] = [];
  const metrics = new ServerMetrics({
    sockets: () => 0,
    traffic: () => ({ in: 0, out: 0 }),
    ledger: async () => ({ leases: 0, uploads: 0 }),
    leads: () => true,
    disk: async () => ({ freeBytes: 0, hasRoom: true }),
  });
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const activity = new Activity(pino({ base: null, timestamp: false, level: 'debug' }, { write }), metrics, now);
  return { activity, lines, counted: async (series) => figure(await metrics.text(), series) };
}
