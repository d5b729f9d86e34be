/** Scores and embeddings of the model: POST /classify in all its forms, POST /embed. */
import { describe, expect, it, vi } from 'vitest';
import { colourPng } from './support/images.js';
import { formRequest, jsonRequest, jsonText } from './support/server.js';
import type { FormFields, ScoredLabel } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const server = useServer(useFolder(), { MAX_LABELS: '20', MAX_TEXT_LENGTH: '50' });

/** A red PNG of 40 × 30 pixels. */
const HUB_IMAGE =
  'iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAIAAADRv8uKAAAAKUlEQVR4nO3NoQ0AAAwCMP5/ensBh2lS31wysVnFYrFYLBaLxWKx' +
  'WFx5Pp2rjeB5c/4AAAAASUVORK5CYII=';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

describe('POST /classify', () => {
  it('takes a form with repeated labels and ranks them', async () => {
    const labels = await server.json<ScoredLabel[]>(
      '/classify',
      formRequest({ image: await colourPng('red'), labels: ['blue', 'red', 'green'] }),
    );
    expect(labels[0]?.label).toBe('red');
    expect(labels[0]?.similarity).toBeCloseTo(1, 4);
    expect(labels.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect(labels.map(({ score }) => score)).toEqual(labels.map(({ score }) => score).sort((a, b) => b - a));
  });

  it('takes labels as a JSON array, a template, and a limit', async () => {
    const labels = await server.json<ScoredLabel[]>(
      '/classify',
      formRequest({
        image: await colourPng('green'),
        labels: '["red","green","blue"]',
        hypothesis_template: 'something {} here',
        top_k: '2',
        multi_label: 'true',
      }),
    );
    expect(labels).toHaveLength(2);
    expect(labels[0]?.label).toBe('green');
  });

  it('takes JSON with the image in base64, with or without a data: prefix', async () => {
    const inputs = base64(await colourPng('blue'));
    const parameters = { candidate_labels: ['red', 'blue'] };
    const plain = await server.postJson<ScoredLabel[]>('/classify', { inputs, parameters });
    const prefixed = await server.postJson<ScoredLabel[]>('/classify', {
      inputs: `data:image/png;base64,${inputs}`,
      parameters,
    });
    expect(plain[0]?.label).toBe('blue');
    expect(prefixed).toEqual(plain);
  });

  it('answers none of the above when no label reaches the threshold', async () => {
    const body = {
      inputs: base64(await colourPng('red')),
      parameters: { candidate_labels: ['green', 'blue', 'cyan'], threshold: 0.99 },
    };
    const [only, ...rest] = await server.postJson<ScoredLabel[]>('/classify', body);
    expect(only?.label).toBe('none of the above');
    expect(rest).toEqual([]);
  });

  it('counts a label given twice once', async () => {
    const form = formRequest({ image: await colourPng('red'), labels: ['red', 'blue', 'red'] });
    expect(await server.json<ScoredLabel[]>('/classify', form)).toHaveLength(2);
  });

  it('gives the same answer to many requests at once as to each alone', async () => {
    const names = ['red', 'green', 'blue', 'yellow', 'cyan', 'magenta', 'white', 'black'];
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const form = formRequest({ image: await colourPng(names[n % 8]!), labels: names });
        return (await server.json<ScoredLabel[]>('/classify', form))[0]?.label;
      }),
    );
    expect(answers).toEqual(Array.from({ length: 40 }, (_, n) => names[n % 8]));
  });

  it('judges each label by itself with multi_label, however many others there are', async () => {
    const score = async (image: string, labels: string[], wanted: string) => {
      const form = formRequest({ image: await colourPng(image), labels, multi_label: 'on' });
      return (await server.json<ScoredLabel[]>('/classify', form)).find(({ label }) => label === wanted)!
        .score;
    };
    const right = await score('red', ['red'], 'red');
    const wrong = await score('red', ['cyan'], 'cyan');
    expect(right).toBeGreaterThan(0.75);
    expect(wrong).toBeLessThan(0.01);
    expect(await score('red', ['cyan', 'blue', 'red'], 'red')).toBeCloseTo(right, 6);
    expect(await score('red', ['red', 'cyan'], 'cyan')).toBeCloseTo(wrong, 6);
  });

  it('adds the class of none of the labels on request, which wins when all are wrong', async () => {
    const inputs = base64(await colourPng('red'));
    const ask = (labels: string[], more: object = {}) =>
      server.postJson<ScoredLabel[]>('/classify', {
        inputs,
        parameters: { candidate_labels: labels, background: true, ...more },
      });
    const wrong = await ask(['cyan', 'blue']);
    expect(wrong[0]?.label).toBe('none of the above');
    expect(wrong[0]!.score).toBeGreaterThan(0.9);
    expect(wrong.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect((await ask(['cyan', 'red'])).map(({ label }) => label)).toEqual([
      'red',
      'none of the above',
      'cyan',
    ]);
    const many = await ask(['cyan', 'blue'], { multi_label: true, top_k: 1 });
    expect(many).toEqual([
      {
        label: 'none of the above',
        score: expect.any(Number) as number,
        similarity: expect.any(Number) as number,
      },
    ]);
    const body = { inputs, parameters: { candidate_labels: ['a', 'none of the above'], background: true } };
    const problem = await server.problem('/classify', jsonRequest(body));
    expect(problem.errors).toEqual([
      expect.objectContaining({
        field: 'parameters.candidate_labels',
        detail: expect.stringMatching(/background/) as string,
      }),
    ]);
  });

  it('splits one text of labels at its commas, in a form and in JSON, and no element of an array', async () => {
    const image = await colourPng('red');
    const names = async (request: RequestInit) =>
      (await server.json<ScoredLabel[]>('/classify', request)).map(({ label }) => label).sort();
    expect(await names(formRequest({ image, labels: 'red, blue,, green ' }))).toEqual([
      'blue',
      'green',
      'red',
    ]);
    expect(await names(formRequest({ image, labels: '["red, blue", "green"]' }))).toEqual([
      'green',
      'red, blue',
    ]);
    expect(await names(formRequest({ image, labels: ['red, blue', 'green'] }))).toEqual([
      'green',
      'red, blue',
    ]);
    const json = (candidate_labels: unknown) =>
      names(jsonRequest({ inputs: base64(image), parameters: { candidate_labels } }));
    expect(await json('red, blue')).toEqual(['blue', 'red']);
    expect(await json(['red, blue'])).toEqual(['red, blue']);
  });

  it.each([
    [{ multi_label: 'True' }],
    [{ multi_label: 'YES' }],
    [{ multi_label: '1' }],
    [{ multi_label: 'true', threshold: '', top_k: '', hypothesis_template: '', background: 'False' }],
    [{ multi_label: 'on', top_k: '50', background: 'off', threshold: '0' }],
  ] as [FormFields][])('reads the flags and numbers of forms: %j', async (fields) => {
    const image = await colourPng('red');
    const expected = await server.postJson<ScoredLabel[]>('/classify', {
      inputs: base64(image),
      parameters: { candidate_labels: ['red', 'blue'], multi_label: true, top_k: null },
    });
    const form = formRequest({ image, labels: ['red', 'blue'], ...fields });
    expect(await server.json<ScoredLabel[]>('/classify', form)).toEqual(expected);
  });

  // The bytes that huggingface_hub 2.4.0 (Python) and @huggingface/inference 4.13.30 (JavaScript) sent.
  it.each([
    [
      'huggingface_hub',
      `{"inputs": "${HUB_IMAGE}", "parameters": {"candidate_labels": ["red circle", "blue square"], "hypothesis_template": "a photo of a {}"}}`,
    ],
    [
      '@huggingface/inference',
      `{"inputs":{"image":"${HUB_IMAGE}"},"parameters":{"candidate_labels":["red circle","blue square"],"hypothesis_template":"a {}"}}`,
    ],
    [
      'options of the inference API',
      `{"inputs": "data:image/png;charset=utf-8;base64,${HUB_IMAGE}", "parameters": {"candidate_labels": "red circle, blue square"}, "options": {"use_cache": false, "wait_for_model": true}}`,
    ],
  ])('answers the clients of Hugging Face: %s', async (_client, body) => {
    const labels = await server.json<ScoredLabel[]>('/classify', jsonText(body));
    expect(labels.map(({ label }) => label)).toEqual(['red circle', 'blue square']);
    expect(labels[0]!.score).toBeGreaterThan(0.9);
  });

  it.each([
    ['no labels', { parameters: { candidate_labels: [] } }, 'parameters.candidate_labels'],
    ['an empty label', { parameters: { candidate_labels: ['a', ' '] } }, 'parameters.candidate_labels.1'],
    [
      'too long a label',
      { parameters: { candidate_labels: ['x'.repeat(51)] } },
      'parameters.candidate_labels.0',
    ],
    [
      'too many labels',
      { parameters: { candidate_labels: Array(21).fill('a') } },
      'parameters.candidate_labels',
    ],
    [
      'a wrong template',
      { parameters: { candidate_labels: ['a'], hypothesis_template: 'x' } },
      'parameters.hypothesis_template',
    ],
    ['an unknown parameter', { parameters: { candidate_labels: ['a'], topk: 1 } }, 'parameters'],
    ['no parameters', {}, 'parameters'],
    ['an address', { inputs: 'http://127.0.0.1/x.png', parameters: { candidate_labels: ['a'] } }, 'inputs'],
    [
      'a flag that is none',
      { parameters: { candidate_labels: ['a'], multi_label: 'maybe' } },
      'parameters.multi_label',
    ],
    ['a number that is none', { parameters: { candidate_labels: ['a'], top_k: [1] } }, 'parameters.top_k'],
    ['an unknown option', { parameters: { candidate_labels: ['a'] }, options: { nothing: 1 } }, 'options'],
    ['what is not base64', { inputs: '%%%', parameters: { candidate_labels: ['a'] } }, 'inputs'],
  ])('refuses %s and names the field', async (_what, body, field) => {
    const inputs = base64(await colourPng('red'));
    const problem = await server.problem('/classify', jsonRequest({ inputs, ...body }));
    expect(problem.code).toBe('invalid_request');
    expect(problem.status).toBe(400);
    expect(problem.errors?.[0]?.field).toBe(field);
  });

  it('refuses a form without an image, with two, or with one in another field', async () => {
    const image = await colourPng('red');
    const codes = [];
    const forms: FormFields[] = [
      { labels: 'a' },
      { labels: 'a', image: [image, image] },
      { labels: 'a', photo: image },
    ];
    for (const fields of forms) {
      codes.push((await server.problem('/classify', formRequest(fields))).code);
    }
    expect(codes).toEqual(['invalid_request', 'invalid_request', 'invalid_request']);
  });

  it('takes several templates, or a named set: each label is the mean over them', async () => {
    const image = await colourPng('red');
    const classify = (fields: Parameters<typeof formRequest>[0]) =>
      server.json<{ label: string; similarity: number }[]>(
        '/classify',
        formRequest({ image, labels: ['red', 'green'], ...fields }),
      );
    const unit = (vector: number[]) => vector.map((value) => value / Math.hypot(...vector));
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, e) => sum + value * b[e]!, 0);
    const embed = async (request: RequestInit) =>
      (await server.json<{ embeddings: number[][] }>('/embed', request)).embeddings;
    const [own] = await embed(formRequest({ image }));
    const [plain, bluish] = await embed(jsonRequest({ texts: ['red', 'red with blue'] }));
    const mean = unit(plain!.map((value, e) => value + bluish![e]!));
    const answer = await classify({ templates: ['{}', '{} with blue'] });
    expect(answer[0]).toEqual({
      label: 'red',
      score: expect.any(Number) as number,
      similarity: expect.closeTo(dot(own!, mean), 5) as number,
    });
    // The words of the sets mean nothing to this model.
    const [alone] = await classify({});
    for (const templates of ['clip-7', 'clip-80']) {
      expect((await classify({ templates }))[0]?.similarity).toBeCloseTo(alone!.similarity, 5);
    }
    const refused = async (fields: Parameters<typeof formRequest>[0]) => {
      const request = formRequest({ image, labels: ['red', 'green'], ...fields });
      return (await server.problem('/classify', request)).errors?.[0]?.field;
    };
    expect(await refused({ templates: ['{}'], hypothesis_template: 'a {}' })).toBe('templates');
    expect(await refused({ templates: 'no place' })).toBe('templates.0');
    expect(await refused({ templates: 'clip-80', background: 'true' })).toBe('templates');
  });
});

describe('POST /embed', () => {
  it('gives one unit vector for each text', async () => {
    const { embeddings } = await server.postJson<{ embeddings: number[][] }>('/embed', {
      texts: ['red', 'blue sky'],
    });
    expect(embeddings).toHaveLength(2);
    for (const vector of embeddings) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  it('takes files, and refuses neither texts nor images', async () => {
    const form = formRequest({ image: [await colourPng('red'), await colourPng('blue')] });
    expect((await server.json<{ embeddings: number[][] }>('/embed', form)).embeddings).toHaveLength(2);
    expect((await server.problem('/embed', jsonRequest({}))).code).toBe('invalid_request');
  });
});
