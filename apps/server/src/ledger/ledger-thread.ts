/** The ledger's thread: opens the ledger it was started for and answers calls; a full disk is a refusal, whatever met it. */
import { serveCalls, threadData } from '../threads/thread.ts';
import { asStorageFull } from './database-errors.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';

serveCalls(await Ledger.open(threadData<LedgerOptions>()), asStorageFull);
