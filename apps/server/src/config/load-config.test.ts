import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConfigSources, loadServerConfig, printableConfig } from './load-config.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'oneround-config-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const load = (sources: Partial<ConfigSources> = {}) =>
  loadServerConfig({ flags: {}, environment: {}, workingDirectory: folder, ...sources });

describe('the configuration of a server', () => {
  it('is the defaults where nothing is said', async () => {
    expect(await load()).toMatchObject({ host: '127.0.0.1', port: 8787, logLevel: 'warn', trustProxy: false });
  });

  it('names no campaign unless told, and says that only the ledger knows which are served', async () => {
    expect(await load()).not.toHaveProperty('campaign');
    const { campaign } = printableConfig(await load());
    expect(campaign).toMatch(/^\(those of the ledger; where there are none, .*campaigns\/default\/campaign\.json\)$/);
    expect(printableConfig(await load({ flags: { campaign: ['/a.json'] } }))).toMatchObject({ campaign: ['/a.json'] });
  });

  it('takes a flag before the environment, that before the file, and the file before the default', async () => {
    write('oneround.config.json', '{"port": 1, "host": "0.0.0.0", "logLevel": "info", "maxDataBytes": "2GiB"}');
    const environment = { ONEROUND_PORT: '2', ONEROUND_HOST: '::1' };
    expect(await load({ environment, flags: { port: '3' } })).toMatchObject({
      port: 3,
      host: '::1',
      logLevel: 'info',
      maxDataBytes: 2 * 1024 ** 3,
      trustProxy: false,
    });
  });

  it.each([
    ['oneround.config.json', '{"campaign": ["a.json", "/b.json"], "campaigns": "c", "data": "d"}'],
    ['oneround.config.yaml', 'campaign:\n  - a.json\n  - /b.json\ncampaigns: c\ndata: d\n'],
    [
      'oneround.config.ts',
      "export default { campaign: ['a.json', '/b.json'], campaigns: 'c', data: 'd' as string };\n",
    ],
  ])('reads %s, whose paths start from its folder', async (name, text) => {
    write(name, text);
    const paths = {
      ...{ campaign: [join(folder, 'a.json'), '/b.json'], campaigns: join(folder, 'c'), data: join(folder, 'd') },
    };
    expect(await load()).toMatchObject(paths);
    expect(await load({ workingDirectory: '/', file: join(folder, name) })).toMatchObject(paths);
  });

  it('takes lists and paths from the environment, which start from where one is', async () => {
    const environment = { ONEROUND_CAMPAIGN: 'a.json, b.json', ONEROUND_TRUST_PROXY: 'true' };
    const { campaign, trustProxy } = await load({ environment });
    expect(campaign).toEqual([join(folder, 'a.json'), join(folder, 'b.json')]);
    expect(trustProxy).toBe(true);
  });

  it('names the flag, the variable or the key of the file that does not fit', async () => {
    await expect(load({ flags: { port: '99999' } })).rejects.toThrow(/flag --port .*"99999" is not a port/);
    await expect(load({ environment: { ONEROUND_LOG_LEVEL: 'loud' } })).rejects.toThrow(/variable ONEROUND_LOG_LEVEL/);
    write('size.json', '{"minFreeBytes": "a lot"}');
    await expect(load({ file: 'size.json' })).rejects.toThrow(/minFreeBytes in .*size\.json .*"a lot" is no size/);
    write('name.yaml', 'prot: 1');
    await expect(load({ file: 'name.yaml' })).rejects.toThrow(/no setting prot in .*name\.yaml.* port,/);
    write('syntax.json', '{');
    await expect(load({ file: 'syntax.json' })).rejects.toThrow(/cannot be read/);
    await expect(load({ file: 'elsewhere.yaml' })).rejects.toThrow(/no configuration file .*elsewhere\.yaml/);
  });

  it('never shows a secret: not printed, and not in what is said of a bad one', async () => {
    const databaseUrl = 'postgres://oneround:horse@db/oneround';
    const environment = { ONEROUND_METRICS_TOKEN: 'correct horse battery', DATABASE_URL: databaseUrl };
    const config = await load({ environment });
    expect(config).toMatchObject({ metricsToken: 'correct horse battery', databaseUrl });
    expect(JSON.stringify(printableConfig(config))).not.toContain('horse');
    expect(printableConfig(config)).toMatchObject({ metricsToken: '(secret)', port: 8787, maxDataBytes: null });
    await expect(load({ environment: { ONEROUND_METRICS_TOKEN: 'hunter2' } })).rejects.not.toThrow(/hunter2/);
    await expect(load({ environment: { DATABASE_URL: 'mysql://:hunter2@db' } })).rejects.not.toThrow(/hunter2/);
  });
});
