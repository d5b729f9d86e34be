/** Text that is not valid text: half of a surrogate pair, NUL, bytes that are not UTF-8. Neither database loses anything by it. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rgbPng } from './support/images.js';
import { runImport } from './support/imports.js';
import { TestPostgres, postgresPrograms } from './support/postgres.js';
import { send } from './support/raw-request.js';
import { formRequest, jsonRequest } from './support/server.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const HALVES = ['nice \ud83d', '\ude00 nice', 'a\ud800b', '\udc00\ud800'];
const REPLACED = ['nice \ufffd', '\ufffd nice', 'a\ufffdb', '\ufffd\ufffd'];

interface Image {
  id: string;
  fileName: string | null;
  captions: string[];
  tags: string[];
}

const installed = postgresPrograms() !== undefined;

describe.each([
  ['the embedded database', false, true],
  [
    installed
      ? 'PostgreSQL'
      : 'PostgreSQL (skipped: it is not installed; on Debian: apt-get install postgresql)',
    true,
    installed,
  ],
])('on %s', (_name, onServer, available) => {
  describe.skipIf(!available)('text that is none', () => {
    const folder = useFolder();
    const root = join(folder, 'import');
    let postgres: TestPostgres | undefined;

    beforeAll(async () => {
      await mkdir(root);
      postgres = onServer ? await TestPostgres.start() : undefined;
    });
    afterAll(() => postgres?.stop());
    const server = useServer(folder, (): Record<string, string> => ({
      IMPORT_ROOT: root,
      ...(postgres && { DATABASE_URL: postgres.url }),
    }));

    it('in captions and tags of an upload becomes U+FFFD', async () => {
      const form = formRequest({
        image: await rgbPng(1, 2, 3),
        captions: JSON.stringify(HALVES),
        tags: JSON.stringify(HALVES),
      });
      const { items } = await server.json<{ items: Image[] }>('/images', form);
      expect(items[0]).toMatchObject({ captions: REPLACED, tags: REPLACED });
      expect(await server.json(`/images/${items[0]!.id}`)).toMatchObject({
        captions: REPLACED,
        tags: REPLACED,
      });
      const tag = encodeURIComponent(JSON.stringify([HALVES[0]]));
      expect((await server.json<{ items: Image[] }>(`/search?q=red&tag=${tag}`)).items).toHaveLength(1);
    });

    it('in file names, also where one is cut, becomes U+FFFD', async () => {
      const part = (disposition: string, bytes: Uint8Array) =>
        Buffer.concat([
          Buffer.from(
            `--x\r\nContent-Disposition: form-data; name="image"; ${disposition}\r\n\r\n`,
            'latin1',
          ),
          bytes,
          Buffer.from('\r\n'),
        ]);
      const body = Buffer.concat([
        part('filename="\xed\xa0\xbd.png"', await rgbPng(2, 2, 3)),
        part(`filename*=UTF-8''%ED%A0%BD.png`, await rgbPng(2, 3, 3)),
        part(
          `filename="${'x'.repeat(254)}${Buffer.from('😀').toString('latin1')}.png"`,
          await rgbPng(2, 4, 3),
        ),
        Buffer.from('--x--\r\n'),
      ]);
      const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
      const { items } = await server.json<{ items: Image[] }>('/images', { method: 'POST', headers, body });
      for (const { id, fileName } of items) {
        expect(fileName?.isWellFormed()).toBe(true);
        const response = await server.fetch(`/images/${id}/file`);
        expect(response.status).toBe(200);
        await response.arrayBuffer();
      }
      expect(items[2]!.fileName).toBe(`${'x'.repeat(254)}\ufffd`);
    });

    it('in labels, templates, queries and texts is encoded as U+FFFD', async () => {
      const { embeddings } = await server.postJson<{ embeddings: number[][] }>('/embed', {
        texts: [...HALVES, 'a\0b', ...REPLACED],
      });
      expect(embeddings.slice(0, 4)).toEqual(embeddings.slice(5));
      const inputs = Buffer.from(await rgbPng(1, 2, 3)).toString('base64');
      const scores = await server.postJson<{ label: string }[]>('/classify', {
        inputs,
        parameters: { candidate_labels: HALVES, hypothesis_template: '\ud83d {} \0' },
      });
      expect(scores.map(({ label }) => label).sort()).toEqual([...REPLACED].sort());
      for (const q of ['%ED%A0%BD', '%00', '%F0%9F', 'a%FFb']) {
        const { status, code } = await send(server.url, `/search?q=${q}`);
        expect([q, [200, 400].includes(status), code]).toEqual([
          q,
          true,
          status === 200 ? undefined : 'invalid_request',
        ]);
      }
    });

    it('in an import loses nothing but itself', async () => {
      const source = join(root, 'whole');
      await mkdir(join(source, 'annotations'), { recursive: true });
      const files = await Promise.all([0, 1, 2].map((id) => rgbPng(50, id, 9)));
      const images = files.map((_, id) => ({ id, file_name: `${id}.png` }));
      for (const [id, file] of files.entries()) await writeFile(join(source, `${id}.png`), file);
      const annotations = images.flatMap(({ id }) =>
        [...HALVES, 'with \0 NUL'].map((caption) => ({ image_id: id, caption })),
      );
      await writeFile(join(source, 'annotations/captions_x.json'), JSON.stringify({ images, annotations }));
      const tagged = images.map(({ id }) => ({ image_id: id, category_id: 1 }));
      const categories = [{ id: 1, name: 'tag \ud83d' }];
      await writeFile(
        join(source, 'annotations/instances_x.json'),
        JSON.stringify({ images, annotations: tagged, categories }),
      );
      const job = await runImport(server, { path: 'whole' });
      expect(job).toMatchObject({ status: 'done', added: 3, failed: 0 });
      for (const file of files) {
        const id = createHash('sha256').update(file).digest('hex');
        const { captions, tags } = await server.json<Image>(`/images/${id}`);
        expect(captions).toHaveLength(5);
        expect(captions.every((caption) => caption.isWellFormed() && !caption.includes('\0'))).toBe(true);
        expect(tags).toEqual(['tag \ufffd']);
      }
    });

    it('in an import’s request or in a file that cannot be read is a clear answer', async () => {
      for (const path of ['\ud83d', 'a\0b', '../\ud83d']) {
        const problem = await server.problem('/imports', jsonRequest({ path }));
        expect(problem.status).toBeLessThan(500);
      }
      await mkdir(join(root, 'broken', 'annotations'), { recursive: true });
      await writeFile(join(root, 'broken', 'annotations', 'captions_y.json'), '{"images": \0\ud83d');
      const job = await runImport(server, { path: 'broken', split: 'y' });
      expect(job).toMatchObject({ status: 'failed', error: expect.stringContaining('not JSON') as string });
    });
  });
});
