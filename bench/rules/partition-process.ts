/**
 * The rules on one partition, in a process of its own. Arguments: the partition, then the learning rates of those who train A
 * and B. Prints a line as soon as it knows it.
 */
import { decodeDelta, deltaNorm, encodeClipped } from '@oneround/fl-core';
import { adaptedModules, adapterFactors, type LoraSpec } from '@oneround/lora/adapter';
import { openHeldOut } from '../default-campaign/held-out.ts';
import { openPartition } from '../default-campaign/partitions.ts';
import { campaign, config, spec, tensors, trainHonest, type Volunteer } from '../default-campaign/volunteers.ts';
import { meanUpdate, relativeError, updateOf } from './mean-update.ts';
import { publications, type Published } from './publish.ts';
import { header, line, type RuleRow } from './table.ts';

const { partition, flags, print, elapsed } = openPartition();
const modules = adaptedModules(config, spec);
const heldOut = await openHeldOut();
print(header());
await compare({ ...spec, trains: 'b' }, campaign.training.learningRate);
for (const rate of flags) await compare({ ...spec, trains: 'a-and-b' }, Number(rate));
print(`all of it in ${elapsed()}`);
process.exit();

async function compare(trained: LoraSpec, learningRate: number): Promise<void> {
  const received = (await trainHonest(partition, { spec: trained, learningRate })).map(send);
  const clients = received.map(({ delta, weight }) => ({ factors: adapterFactors(config, trained, delta), weight }));
  const exact = meanUpdate(modules, clients);
  const trains: RuleRow['trains'] = trained.trains === 'a-and-b' ? 'A and B' : 'B';
  const longest = Math.max(...received.map(({ delta }) => deltaNorm(delta)));
  print(
    `${received.length} clients trained ${trains} at ${learningRate} after ${elapsed()}; norms up to ${longest.toFixed(1)}`,
  );
  for (const { published, ...publication } of publications(trained, received)) {
    const { loss, accuracy } = await score(published);
    const update = 'update' in published ? published.update : updateOf(modules, published.factors);
    const row = {
      trains,
      learningRate,
      loss,
      accuracy,
      bytesUp: received[0]!.bytes,
      error: relativeError(update, exact),
    };
    print(line({ ...publication, ...row }));
  }
}

/** As the server has it: through the campaign's codec and its bound. */
function send({ delta, labelTokens }: Volunteer): { delta: Float32Array; weight: number; bytes: number } {
  const { codec, maxNorm } = campaign.upload;
  const frame = encodeClipped(delta, codec, maxNorm);
  return { delta: decodeDelta(frame, { size: delta.length, codec }), weight: labelTokens, bytes: frame.byteLength };
}

async function score(published: Published) {
  if ('factors' in published) return heldOut.report(published.factors.values, published.factors.a);
  const folded = await openHeldOut(weightsPlus(published.update));
  return folded.report(new Float32Array(modules.reduce((sum, { out, rank }) => sum + out * rank, 0)));
}

/** The model's weights with an update of its `[out, in]` matrices. */
function weightsPlus(update: Float32Array): typeof tensors {
  const weights = new Map(tensors);
  let offset = 0;
  for (const { name } of modules) {
    const entry = weights.get(`${name}.weight`)!;
    const from = offset;
    weights.set(`${name}.weight`, { ...entry, values: entry.values.map((value, i) => value + update[from + i]!) });
    offset += entry.values.length;
  }
  return weights;
}
