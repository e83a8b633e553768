/**
 * The ledger's thread: opens the ledger it was started for and answers calls; a full disk and a lost database are refusals,
 * whatever met them.
 */
import { serveCalls, threadData } from '../threads/thread.ts';
import { asRefusal } from './database-errors.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';

serveCalls(await Ledger.open(threadData<LedgerOptions>()), asRefusal);
