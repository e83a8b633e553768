/** An update added to the weights is the adapter that it is of, and so is what is exported of it, in every architecture. */
import { beforeAll, describe, expect, it } from 'vitest';
import { exportUpdate, importPeft, type LoraSpec, publishedA } from '../adapter/index.ts';
import { linearLayers } from '../architecture/index.ts';
import { selectBackend } from '../tensor/index.ts';
import { fixtureNames, loadFixture, logitsOnBackend, randomB, relativeError, updateOfB } from '../testing/index.ts';
import { CausalLm } from './index.ts';

beforeAll(() => selectBackend('wasm'));

describe.each(fixtureNames)('%s', (name) => {
  const { config, tensors, ids } = loadFixture(name);
  const targetModules = config.sublayers.flatMap(linearLayers).map((layer) => layer.name);
  const spec: LoraSpec = { rank: 3, alpha: 6, targetModules, rankPattern: { '1\\..*': 2 }, useRslora: true, seed: 3 };

  it('has the same logits with an adapter, its update in the weights, and the export of that update', async () => {
    const rows = ids.map((row) => ({ ids: row, labels: row, domain: '' }));
    const values = randomB(config, spec, 5);
    const update = updateOfB(config, spec, values);
    const files = exportUpdate({ config, spec: { ...spec, trains: 'a-and-b' }, update, baseModelName: name });
    const adapterConfig: unknown = JSON.parse(new TextDecoder().decode(files.adapterConfig));

    const model = CausalLm.load(config, tensors);
    const updated = model.withUpdate(spec, update);
    const base = await logitsOnBackend(model, null, rows);
    const adapted = await logitsOnBackend(model, { spec, values, a: publishedA(config, spec) }, rows);
    const summed = await logitsOnBackend(updated, null, rows);
    const exported = await logitsOnBackend(model, importPeft(config, adapterConfig, files.adapterModel), rows);
    updated.dispose();
    model.dispose();
    expect(relativeError(base, adapted)).toBeGreaterThan(1e-2);
    expect(relativeError(summed, adapted)).toBeLessThan(1e-5);
    expect(relativeError(exported, adapted)).toBeLessThan(1e-5);
  });
});
