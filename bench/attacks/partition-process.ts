/** The attacks on one partition, in a process of its own. Argument: the partition. Prints its table. */
import { partitionStrategySchema } from '@oneround/fl-core';
import { attacksOn } from './attackers.ts';
import { openHeldOut } from './held-out.ts';
import { Battlefield } from './scenario.ts';
import { printTable } from './table.ts';
import { trainHonest, trainOnWrongAnswers } from './volunteers.ts';

const strategy = partitionStrategySchema.parse(process.argv[2]);
const started = performance.now();
const honest = await trainHonest(strategy);
const wrong = await trainOnWrongAnswers(strategy);
const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
console.log(
  `\n  partition ${strategy}: ${honest.length} honest clients and one of wrong answers trained in ${seconds()}`,
);
const field = new Battlefield(honest, await openHeldOut());
const clean = await field.clean();
const rows = [];
for (const attack of attacksOn(honest, wrong.delta)) rows.push(await field.face(attack));
printTable(clean, rows, field.maxNorm);
const { scale, loss } = await field.scaleHonest();
console.log(`  no attack, server scale ${scale} (searched among four on the gate's examples): ${loss.toFixed(4)}`);
console.log(`  in ${seconds()}`);
process.exit();
