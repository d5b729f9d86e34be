/** Saved labels with templates: their routes, and POST /classify by their names. */
import { describe, expect, it, vi } from 'vitest';
import { colourPng } from './support/images.js';
import { formRequest, jsonRequest } from './support/server.js';
import type { FormFields, ScoredLabel } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const server = useServer(useFolder(), { MAX_LABELS: '20', MAX_TEXT_LENGTH: '50' });

describe('a label set', () => {
  interface LabelSet {
    id: string;
    name: string;
    size: number;
    labels?: string[];
    templates: string[];
    revision: number;
  }
  const save = (name: string, labels: string[], templates?: string[]) =>
    server.postJson<LabelSet>('/label-sets', { name, labels, templates });
  const patch = (body: object) => ({ ...jsonRequest(body), method: 'PATCH' });
  const code = async (path: string, options?: RequestInit) => (await server.problem(path, options)).code;
  const scores = async (fields: FormFields) =>
    server.json<ScoredLabel[]>('/classify', formRequest({ image: await colourPng('red'), ...fields }));
  /** How often the embedding of a text was asked for. */
  const lookups = async () => {
    const metrics = await (await server.fetch('/metrics')).text();
    const counts = metrics.matchAll(/^text_cache_lookups_total\{.*\} (\d+)/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };

  it('classifies by its name as its labels and templates do, the second time without its texts', async () => {
    const labels = ['red', 'green', 'blue'];
    await save('colours', [...labels, 'red'], ['a {}', 'clip-7']);
    const expected = await scores({ labels, templates: ['a {}', 'clip-7'] });
    expect(await scores({ label_set: 'colours' })).toEqual(expected);
    const plain = await scores({ labels });
    expect(await scores({ label_set: 'colours', templates: '{}' })).toEqual(plain);
    const inputs = Buffer.from(await colourPng('red')).toString('base64');
    const body = { inputs, parameters: { label_set: 'colours', top_k: 1 } };
    expect((await server.postJson<ScoredLabel[]>('/classify', body))[0]?.label).toBe('red');
    const before = await lookups();
    expect(before).toBeGreaterThan(0);
    expect(await scores({ label_set: 'colours' })).toEqual(expected);
    expect(await lookups()).toBe(before);
  });

  it('is listed, read, changed, followed by the next request, and deleted', async () => {
    const made = await save('animals', ['a cat', 'a dog']);
    expect(made).toMatchObject({ size: 2, templates: ['{}'], revision: 1, labels: ['a cat', 'a dog'] });
    const path = `/label-sets/${made.id}`;
    expect(await server.json(path)).toEqual(made);
    const { items } = await server.json<{ items: LabelSet[] }>('/label-sets');
    const { labels: _labels, ...summary } = made;
    expect(items).toContainEqual(summary);
    expect((await scores({ label_set: 'animals' })).map(({ label }) => label).toSorted()).toEqual(
      made.labels,
    );
    const changed = await server.json<LabelSet>(path, patch({ name: 'pets', labels: ['a fish'] }));
    expect(changed).toMatchObject({ name: 'pets', size: 1, revision: 2, templates: ['{}'] });
    expect(await scores({ label_set: 'pets' })).toMatchObject([{ label: 'a fish', score: 1 }]);
    expect(
      await code('/classify', formRequest({ image: await colourPng('red'), label_set: 'animals' })),
    ).toBe('label_set_not_found');
    expect((await server.fetch(path, { method: 'DELETE' })).status).toBe(204);
    for (const id of [made.id, 'x', '%00'])
      expect(await code(`/label-sets/${id}`)).toBe('label_set_not_found');
  });

  it('is refused with a name that is taken, too many or too long texts, or nothing to change, and stays', async () => {
    const made = await save('taken', ['x'.repeat(40)]);
    await save('other', ['none of the above', 'y']);
    const refusals: [object, string][] = [
      [{ name: 'taken', labels: ['a'] }, 'conflict'],
      [{ name: 'many', labels: Array.from({ length: 21 }, String) }, 'invalid_request'],
      [{ name: 'long', labels: ['x'.repeat(40)], templates: ['a photo of {}'] }, 'invalid_request'],
      [{ name: 'no place', labels: ['a'], templates: ['a photo'] }, 'invalid_request'],
      [{ name: 'nothing', labels: [] }, 'invalid_request'],
    ];
    for (const [body, expected] of refusals) {
      expect([body, await code('/label-sets', jsonRequest(body))]).toEqual([body, expected]);
    }
    const path = `/label-sets/${made.id}`;
    for (const body of [{ name: 'other' }, { templates: ['a photo of {}'] }, {}, { labels: null }]) {
      expect(await code(path, patch(body)), JSON.stringify(body)).toMatch(/^(conflict|invalid_request)$/);
    }
    expect(await server.json(path)).toEqual(made);
    const image = await colourPng('red');
    const contradictions: FormFields[] = [
      { label_set: 'taken', labels: ['a'] },
      { label_set: 'taken', templates: ['a photo of {}'] },
      { label_set: 'other', background: 'true' },
      {},
    ];
    for (const fields of contradictions) {
      expect([fields, await code('/classify', formRequest({ image, ...fields }))]).toEqual([
        fields,
        'invalid_request',
      ]);
    }
  });
});
