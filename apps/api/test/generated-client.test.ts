/**
 * What a TypeScript client generator makes of /openapi.json: openapi-typescript writes the types, the compiler
 * checks a program against them as strictly as it can, and the program runs against the service.
 */
import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import openapiTS, { astToString } from 'openapi-typescript';
import type { OpenAPI3 } from 'openapi-typescript';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { colourPng } from './support/images.js';
import { useFolder, useServer } from './support/use-server.js';

const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** Forms go as FormData: one field for each element of a list, as the document's `explode` says. */
const CLIENT = `
import { readFileSync } from 'node:fs';
import createClient from 'openapi-fetch';
import type { paths } from './openapi.js';

const [, , baseUrl, file] = process.argv as [string, string, string, string];
const client = createClient<paths>({ baseUrl });
const bytes = readFileSync(file);
const image = new Blob([bytes], { type: 'image/png' });

function bodySerializer(body: Record<string, unknown>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const one of Array.isArray(value) ? value : [value]) form.append(name, one instanceof Blob ? one : String(one));
  }
  return form;
}

const uploaded = await client.POST('/images', {
  body: { image: [image], captions: ['a red square'], tags: ['warm', 'plain'] },
  bodySerializer,
});
const byForm = await client.POST('/classify', { body: { image, labels: ['red', 'blue'], top_k: 1 }, bodySerializer });
const byJson = await client.POST('/classify', {
  body: { inputs: bytes.toString('base64'), parameters: { candidate_labels: ['red', 'blue'], multi_label: true } },
});
const found = await client.GET('/search', { params: { query: { q: ['red'], tag: ['warm', 'plain'], limit: 5 } } });
const refused = await client.GET('/search', { params: { query: { q: [''] } } });
const id: string | undefined = uploaded.data?.items[0]?.id;
const stored = await client.GET('/images/{id}/file', { params: { path: { id: id ?? '' } }, parseAs: 'blob' });
const removed = await client.DELETE('/images/{id}', { params: { path: { id: id ?? '' } } });

const code: 'invalid_request' | string | undefined = refused.error?.code;
const best: { label: string; score: number } | undefined = byForm.data?.[0];
console.log(
  JSON.stringify({
    status: uploaded.data?.items[0]?.status,
    fileName: uploaded.data?.items[0]?.fileName?.toUpperCase(),
    best: best?.label,
    labels: byJson.data?.map(({ label, score }) => [label, score > 0.5]),
    found: found.data?.items.map(({ tags, caption }) => [tags, caption]),
    code,
    stored: stored.data?.type,
    removed: removed.response.status,
  }),
);
`;

/** A program that misuses the types in each line: were any of them `any`, its line would not be an error. */
const MISUSE = `
import createClient from 'openapi-fetch';
import type { paths } from './openapi.js';

const client = createClient<paths>();
await client.POST('/classify', { body: { inputs: '' } });
await client.POST('/classify', { body: { inputs: '', parameters: { candidate_labels: [1] } } });
await client.GET('/search');
await client.POST('/images', { body: { image: 'a file' } });
await client.PUT('/images', {});
(await client.GET('/search', { params: { query: { q: ['a'] } } })).data?.items[0]?.score.trim();
`;

const folder = useFolder();
const server = useServer(folder);

beforeAll(async () => {
  const document = await server.json<OpenAPI3>('/openapi.json');
  const types = await openapiTS(document, { transform: filesAreBlobs });
  await symlink(MODULES, join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'openapi.ts'), astToString(types));
  await writeFile(join(folder, 'client.ts'), CLIENT);
  await writeFile(join(folder, 'misuse.ts'), MISUSE);
});

/** As openapi-typescript's documentation has it: by itself it takes a file for a text. */
function filesAreBlobs(schema: { format?: string }): ts.TypeNode | undefined {
  if (schema.format !== 'binary') return undefined;
  return ts.factory.createTypeReferenceNode('Blob');
}

/** What the compiler says of each program, by its name, as lines with an error. */
let errors: Record<'client' | 'misuse', { line: number; message: string }[]>;
/** One program of both: reading the library's types takes most of the compiler's time. */
beforeAll(() => {
  const file = (name: string) => join(folder, `${name}.ts`);
  const program = ts.createProgram([file('client'), file('misuse')], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    typeRoots: [join(MODULES, '@types')],
  });
  program.emit();
  const errorsOf = (name: string) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file(name)))
      .map(({ file: source, start = 0, messageText }) => ({
        line: (source?.getLineAndCharacterOfPosition(start).line ?? -1) + 1,
        message: ts.flattenDiagnosticMessageText(messageText, '\n'),
      }));
  errors = { client: errorsOf('client'), misuse: errorsOf('misuse') };
});

describe('a client with types of openapi-typescript', () => {
  it('type-checks, and its calls do what their types say', async () => {
    expect(errors.client).toEqual([]);
    const picture = join(folder, 'red.png');
    await writeFile(picture, await colourPng('red'));
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [join(folder, 'client.js'), server.url, picture]);
    expect(JSON.parse(stdout)).toEqual({
      status: 'created',
      fileName: 'BLOB',
      best: 'red',
      labels: [
        ['red', true],
        ['blue', false],
      ],
      found: [[['warm', 'plain'], 'a red square']],
      code: 'invalid_request',
      stored: 'image/png',
      removed: 204,
    });
  });

  it('is told at compile time what the service would refuse', () => {
    expect(errors.misuse.map(({ line }) => line)).toEqual([6, 7, 8, 9, 10, 11]);
  });
});
