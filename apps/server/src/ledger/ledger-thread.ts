/** The ledger's thread: opens the ledger it was started for and answers calls. */
import { serveCalls, threadData } from '../threads/thread.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';

serveCalls(await Ledger.open(threadData<LedgerOptions>()));
