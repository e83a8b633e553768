/** A client that trains as it should, on answers that are not. */
import type { PartitionStrategy } from '@oneround/fl-core';
import { engine, shardsOf, trainingRecords, trainVolunteer, type Volunteer } from '../default-campaign/volunteers.ts';

/** A volunteer of the first shard whose answers are all wrong: each is another answer of the same question. */
export async function trainOnWrongAnswers(strategy: PartitionStrategy): Promise<Volunteer> {
  const all = trainingRecords();
  const wrong = shardsOf(strategy)[0]!.map((record) => {
    if (!('answer' in record)) throw new TypeError('the default campaign has prompts and answers');
    const others = all.flatMap((other) =>
      'answer' in other && other.domain === record.domain && other.answer !== record.answer ? [other.answer] : [],
    );
    return { ...record, answer: others[0]! };
  });
  return trainVolunteer(wrong, await engine());
}
