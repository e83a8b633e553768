/**
 * `oneround demo`: a server with the default campaign in a fresh data directory, N headless volunteers, their progress
 * and every merge in the terminal, the closing table, the exported adapter.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { campaignStateSchema, type CampaignState, type Contribution } from '@oneround/fl-core';
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import { formatBytes, resultsTable } from './results-table.ts';
import { openVolunteers, type Volunteer, type VolunteerStatus } from './volunteers.ts';

const POLL_MS = 500;
/** Without a terminal there are no bars; a line per volunteer this often instead. */
const PLAIN_REPORT_MS = 10_000;

export interface DemoOptions {
  /** Base URL of the running server. */
  serverUrl: string;
  campaignId: string;
  volunteers: number;
  backend: 'webgpu' | 'wasm' | 'auto';
  /** Writes the PEFT folder of the newest version and returns its path. */
  exportAdapter: () => Promise<string>;
  print: (line: string) => void;
}

/**
 * Runs the volunteers to the end and prints what happened. Resolves when all of them have contributed and every figure
 * of the table is measured.
 * @throws Error when a volunteer fails, with what its page says
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { serverUrl, campaignId, print } = options;
  const started = performance.now();
  const campaignUrl = `${serverUrl}/c/${campaignId}`;
  const volunteers = await openVolunteers(campaignUrl, { count: options.volunteers, backend: options.backend });
  const report = process.stdout.isTTY ? barReport(volunteers.list) : plainReport(print);
  const seen = new Set<number>();
  try {
    for (;;) {
      const statuses = await Promise.all(volunteers.list.map((volunteer) => volunteer.status()));
      const failed = statuses.findIndex((status) => status?.error);
      if (failed >= 0) throw new Error(`volunteer ${failed + 1}: ${statuses[failed]!.error}`);
      const state = await fetchState(serverUrl, campaignId);
      report.update(statuses);
      for (const line of newVersions(state, seen)) report.line(line);
      if (isComplete(state, options.volunteers)) break;
      await sleep(POLL_MS);
    }
  } finally {
    report.stop();
    await volunteers.close();
  }
  const seconds = (performance.now() - started) / 1000;
  await printOutcome(await fetchState(serverUrl, campaignId), seconds, options);
}

async function printOutcome(state: CampaignState, seconds: number, options: DemoOptions): Promise<void> {
  const { print } = options;
  print('');
  for (const line of resultsTable(state)) print(line);
  print('');
  const clients = state.contributions.length;
  const share = (100 * (1 - state.bytesUp / state.bytesUpAllWeights)).toFixed(1);
  print(
    `Sent up: ${formatBytes(state.bytesUp)} in all; every weight would have been ${formatBytes(state.bytesUpAllWeights)} (${share} % less).`,
  );
  print(
    `${clients} volunteer${clients === 1 ? '' : 's'}, one upload each, ${seconds.toFixed(0)} s from the first page to the last figure.`,
  );
  print(`Adapter (PEFT folder): ${await options.exportAdapter()}`);
}

async function fetchState(serverUrl: string, campaignId: string): Promise<CampaignState> {
  const response = await fetch(`${serverUrl}/v1/campaigns/${campaignId}/state`);
  if (!response.ok) throw new Error(`the server answered ${response.status} to a request for the campaign's state`);
  return campaignStateSchema.parse(await response.json());
}

function isDone({ foldedVersion, quarantined, alone }: Contribution): boolean {
  return (foldedVersion !== null || quarantined !== null) && alone !== null;
}

/** True when everybody has contributed, and all of it is merged or set aside, and scored. */
export function isComplete(state: CampaignState, volunteers: number): boolean {
  return (
    state.contributions.length >= volunteers &&
    state.contributions.every(isDone) &&
    state.versions.every((version) => version.evaluation !== null)
  );
}

/** A line for each version evaluated since the last look. */
function newVersions(state: CampaignState, seen: Set<number>): string[] {
  const lines: string[] = [];
  for (const { version, evaluation } of state.versions) {
    if (!evaluation || seen.has(version)) continue;
    seen.add(version);
    const name = version === 0 ? 'start' : `merge ${version}`;
    const accuracy = (evaluation.accuracy * 100).toFixed(1);
    lines.push(`${name}: global held-out loss ${evaluation.loss.toFixed(4)}, exact match ${accuracy} %`);
  }
  return lines;
}

interface Report {
  update(statuses: readonly (VolunteerStatus | null)[]): void;
  line(text: string): void;
  stop(): void;
}

function describe(status: VolunteerStatus): string {
  const loss = status.loss === null ? '' : `, loss ${status.loss.toFixed(3)}`;
  const speed = status.tokensPerSecond > 0 ? `, ${Math.round(status.tokensPerSecond)} tokens/s` : '';
  return `${status.phase}${speed}${loss}`;
}

function barReport(volunteers: readonly Volunteer[]): Report {
  const format = 'volunteer {number} {bar} {value}/{total} steps | {text}';
  const bars = new MultiBar({ format, hideCursor: true, clearOnComplete: false }, Presets.shades_classic);
  const lanes: SingleBar[] = volunteers.map(({ number }) => bars.create(1, 0, { number, text: 'opening the page' }));
  return {
    update: (statuses) =>
      statuses.forEach((status, i) => {
        if (!status) return;
        lanes[i]!.setTotal(Math.max(1, status.steps));
        lanes[i]!.update(status.step, { number: volunteers[i]!.number, text: describe(status) });
      }),
    line: (text) => bars.log(`${text}\n`),
    stop: () => bars.stop(),
  };
}

function plainReport(print: (line: string) => void): Report {
  let last = Number.NEGATIVE_INFINITY;
  return {
    update: (statuses) => {
      if (performance.now() - last < PLAIN_REPORT_MS) return;
      last = performance.now();
      statuses.forEach((status, i) => {
        if (status) print(`volunteer ${i + 1}: step ${status.step}/${status.steps}, ${describe(status)}`);
      });
    },
    line: print,
    stop: () => undefined,
  };
}
