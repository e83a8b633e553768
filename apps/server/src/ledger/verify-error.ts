import { Refusal } from '@oneround/fl-core';

/** Something in a data directory that is not as it was recorded. The message names it. */
export class VerifyError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'VerifyError';
  }
}

/** @throws VerifyError naming `what` of `name` when what the ledger records and what was found differ */
export function expectEqual(name: string, what: string, recorded: string | number, found: string | number): void {
  if (recorded !== found) throw new VerifyError(`${name}: the ${what} should be ${recorded} but is ${found}`);
}

/** Runs a fold; a delta that cannot be folded is refused in words that do not say whose it is, so `name` does. */
export async function naming<Result>(name: string, fold: () => Promise<Result>): Promise<Result> {
  try {
    return await fold();
  } catch (error) {
    throw error instanceof Refusal ? new VerifyError(`${name}: ${error.message}`) : error;
  }
}
