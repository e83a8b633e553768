/** A server process for tests that kill it: `node --import tsx serve.ts <campaign.json> <data directory> <port>`. */
import { startServer } from '../server.ts';

const [campaignFile, dataDir, port] = process.argv.slice(2);
if (!campaignFile || !dataDir || !port) throw new Error('usage: serve.ts <campaign.json> <data directory> <port>');
await startServer({ host: '127.0.0.1', port: Number(port), dataDir, campaignFiles: [campaignFile], logLevel: 'error' });
