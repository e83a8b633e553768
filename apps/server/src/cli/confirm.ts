/** A person's yes before something that cannot be undone. */
import { createInterface } from 'node:readline/promises';

/**
 * Says what will happen and asks; `yes` has answered already.
 * @throws Error when the answer is not y or yes, or when nobody is there to give one
 */
export async function confirm(what: string, yes: boolean): Promise<void> {
  console.log(what);
  if (yes) return;
  if (!process.stdin.isTTY) throw new Error('Nobody is here to say yes to this; add --yes.');
  const dialogue = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await dialogue.question('Go on? [y/N] ');
    if (!/^y(es)?$/i.test(answer.trim())) throw new Error('Nothing was changed.');
  } finally {
    dialogue.close();
  }
}
