/**
 * One arm in a process of its own, on a real ledger: every client joins, trains on the WASM engine from what its lease says,
 * and contributes; then `verify` computes all of it again. Argument: the arm as JSON. The last line printed is its result.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateClientKeys, parseRecords, roundTraining } from '@oneround/fl-core';
import { Ledger, verifyDataDir } from '../../apps/server/src/ledger/index.ts';
import { contributeTo, joinLedger } from '../../apps/server/src/testing/ledger-volunteer.ts';
import { openHeldOut } from '../default-campaign/held-out.ts';
import { campaign, campaignFolder, encode, engine, train } from '../default-campaign/volunteers.ts';
import type { Arm, ArmResult, ClientRound, Losses } from './arm.ts';

const arm = JSON.parse(process.argv[2]!) as Arm;
const folder = mkdtempSync(join(tmpdir(), 'oneround-rounds-'));
const dataDir = join(folder, 'data');
const ledger = await Ledger.open({ dataDir });
await ledger.addCampaign(writeCampaign());
const { manifest, shards } = ledger.definition('test');
const openEngine = await engine();
const heldOut = await openHeldOut();
const keys = await Promise.all(shards.map(generateClientKeys));
const losses: Losses[] = [];
const clients: ClientRound[][] = [];
let accuracy = 0;
for (let round = 0; round < (arm.rounds?.count ?? 1); round++) {
  const volunteers = [];
  for (const own of keys) volunteers.push(await joinLedger(ledger, { keys: own }));
  clients.push([]);
  for (const volunteer of volunteers) clients[round]!.push(await contributeOnce(volunteer));
  const { value: version } = (await ledger.fold('test'))!;
  const { values } = await ledger.subjectChange('test', { kind: 'version', version });
  const reported = await heldOut.report(values);
  ({ accuracy } = reported);
  losses.push({ chosenBy: (await heldOut.gate(values)).loss, reported: reported.loss });
  console.log(`${arm.name}: round ${round + 1}, held-out loss ${reported.loss.toFixed(4)}`);
}
await ledger.close();
let verifySeconds = 0;
for await (const { seconds } of verifyDataDir(dataDir)) verifySeconds = seconds;
rmSync(folder, { recursive: true });
console.log(JSON.stringify({ arm, losses, accuracy, clients, verifySeconds } satisfies ArmResult));
process.exit();

async function contributeOnce(volunteer: Awaited<ReturnType<typeof joinLedger>>): Promise<ClientRound> {
  const shard = volunteer.lease.shard!;
  const base = volunteer.lease.base?.values ?? null;
  const start = base ? new Float32Array((await fileBytes(base.sha256)).slice().buffer) : undefined;
  const examples = encode(parseRecords((await fileBytes(shard.sha256)).toString('utf8')));
  const settings = roundTraining(manifest.training, volunteer.lease.base?.version ?? 0);
  const before = process.cpuUsage().user;
  const delta = await train(examples, openEngine, { settings, start });
  const seconds = (process.cpuUsage().user - before) / 1e6;
  await contributeTo(ledger, volunteer, delta);
  return { seconds, bytesUp: manifest.upload.bytes, bytesDown: shard.bytes + (base?.bytes ?? 0) };
}

async function fileBytes(sha256: string): Promise<Buffer> {
  return readFileSync((await ledger.servedFile(sha256))!.path);
}

/** The default campaign, with this arm's epochs and rounds. */
function writeCampaign(): string {
  const { train: trainFile, heldOut: heldOutFile } = campaign.data;
  const file = join(folder, 'campaign.json');
  const changed = {
    ...campaign,
    ...{ id: 'test', model: pathOf(campaign.model), training: { ...campaign.training, epochs: arm.epochs } },
    data: { ...campaign.data, train: pathOf(trainFile), heldOut: pathOf(heldOutFile) },
    // Plain FedAvg in one round, too.
    merge: { screens: null, scaleSearch: false },
    // Nobody sends heartbeats here, and training may take its time.
    lease: { ttlMs: 24 * 3600_000, heartbeatMs: 3600_000 },
    ...(arm.rounds && { rounds: arm.rounds }),
  };
  writeFileSync(file, JSON.stringify(changed));
  return file;
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, campaignFolder));
}
