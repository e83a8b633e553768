/** The attacks on one partition, in a process of its own. Argument: the partition. Prints a line as soon as it knows it. */
import { openHeldOut } from '../default-campaign/held-out.ts';
import { openPartition } from '../default-campaign/partitions.ts';
import { trainHonest } from '../default-campaign/volunteers.ts';
import { attacksOn } from './attackers.ts';
import { Battlefield } from './scenario.ts';
import { header, line, verdicts } from './table.ts';
import { trainOnWrongAnswers } from './wrong-answers.ts';

const { partition, print, elapsed } = openPartition();
const honest = await trainHonest(partition);
const wrong = await trainOnWrongAnswers(partition);
print(`${honest.length} honest clients and one of wrong answers trained in ${elapsed()}`);
const field = new Battlefield(honest, await openHeldOut());
print(`published norm ${field.maxNorm.toFixed(1)}; held-out loss in nats a label token, lower is better`);
print(header());
const clean = await field.clean();
print(line(clean, clean));
const rows = [];
for (const attack of attacksOn(honest, wrong.delta)) {
  const row = await field.face(attack);
  rows.push(row);
  print(line(row, clean));
}
verdicts(rows, clean).forEach(print);
const { scale, loss } = await field.scaleHonest();
print(`no attack, server scale ${scale} (searched among four on the gate's examples): ${loss.toFixed(4)}`);
print(`all of it in ${elapsed()}`);
process.exit();
