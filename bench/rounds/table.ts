/**
 * The comparison as a table. Waiting is worked out, not measured: the seconds that each client trained, on devices of which
 * the slowest is four times as slow as the fastest, the others evenly between them on a logarithmic scale.
 */
import type { ArmResult, ClientRound } from './arm.ts';

const SLOWEST = 4;

const columns = [
  'loss',
  'loss, other',
  'exact',
  'MB up',
  'MB down',
  'trains, s',
  'waits, s',
  'done after, s',
  'verify, s',
];
const NAME_WIDTH = 32;
const WIDTH = 15;

export function header(): string {
  return `  ${' '.repeat(NAME_WIDTH)}${columns.map((column) => column.padStart(WIDTH)).join('')}`;
}

export function line({ arm, losses, accuracy, clients, verifySeconds }: ArmResult): string {
  const { reported, chosenBy } = losses.at(-1)!;
  const times = presence(clients.map((round) => round.map(({ seconds }) => seconds)));
  const mega = (bytes: (round: ClientRound) => number) =>
    (clients.reduce((sum, round) => sum + bytes(round[0]!), 0) / 1e6).toFixed(2);
  const figures = [
    reported.toFixed(4),
    chosenBy.toFixed(4),
    `${(100 * accuracy).toFixed(1)} %`,
    mega(({ bytesUp }) => bytesUp),
    mega(({ bytesDown }) => bytesDown),
    times.trains.toFixed(0),
    times.waits.toFixed(0),
    times.done.toFixed(0),
    verifySeconds.toFixed(1),
  ];
  return `  ${arm.name.padEnd(NAME_WIDTH)}${figures.map((figure) => figure.padStart(WIDTH)).join('')}`;
}

/**
 * @param seconds that each client trained, `[round][client]`
 * @returns what the mean client trains and waits, and when the last version is there; in one round nobody waits
 */
export function presence(seconds: number[][]): { trains: number; waits: number; done: number } {
  const count = seconds[0]!.length;
  const slowness = (client: number) => SLOWEST ** (client / Math.max(1, count - 1));
  const rounds = seconds.map((round) => round.map((own, client) => own * slowness(client)));
  const lengths = rounds.map((round) => Math.max(...round));
  // After its last contribution a client may go.
  const waits = rounds.slice(0, -1).map((round, i) => lengths[i]! - mean(round));
  return {
    trains: rounds.reduce((sum, round) => sum + mean(round), 0),
    waits: waits.reduce((sum, wait) => sum + wait, 0),
    done: lengths.reduce((sum, length) => sum + length, 0),
  };
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
