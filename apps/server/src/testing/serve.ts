/** A server process for tests: `node scripts/run.mjs serve.ts <campaign.json> <data directory> <port> [options as JSON]`. */
import { startServer, type ServerOptions } from '../server.ts';

const [campaignFile, dataDir, port, options = '{}'] = process.argv.slice(2);
if (!campaignFile || !dataDir || !port) throw new Error('usage: serve.ts <campaign.json> <data directory> <port>');
process.send?.(process.pid);
const server = await startServer({
  host: '127.0.0.1',
  port: Number(port),
  dataDir,
  campaignFiles: [campaignFile],
  logLevel: 'error',
  ...(JSON.parse(options) as Partial<ServerOptions>),
});
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
// Whoever started this process is gone; a test that was interrupted leaves no server behind.
process.on('disconnect', () => process.exit(1));
