/** Models by hub id, against a local server with the hub's endpoints: what it refuses and how it fails. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveModelFolder } from '@clip-ts/clip';
import { describe, expect, it } from 'vitest';
import { type FILES, useHub } from './use-hub.js';

const at = useHub();

describe('resolveModelFolder', () => {
  it('distinguishes a missing model, a refused one and a hub that fails', async () => {
    await expect(resolveModelFolder('owner/other')).rejects.toMatchObject({ code: 'HUB_NOT_FOUND' });
    await expect(resolveModelFolder('owner/name', { revision: 'v2' })).rejects.toThrow('at revision v2');
    for (const status of [401, 403]) {
      at.hub.status = status;
      await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({
        code: 'HUB_UNAUTHORIZED',
        found: 'no token',
      });
    }
    at.hub.status = 503;
    await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({
      code: 'HUB_UNREACHABLE',
      found: 'status 503',
    });
  });

  it('refuses weights that are a pickle, with the command that converts them', async () => {
    delete (at.hub.files as Partial<typeof FILES>)['model.safetensors'];
    const refused = resolveModelFolder('owner/name');
    await expect(refused).rejects.toMatchObject({ code: 'HUB_PICKLE_ONLY' });
    await expect(refused).rejects.toThrow("AutoModel.from_pretrained('owner/name').save_pretrained");
    await writeFile(join(at.root, 'pytorch_model.bin'), '');
    await writeFile(join(at.root, 'config.json'), '{}');
    await expect(resolveModelFolder(at.root)).rejects.toMatchObject({ code: 'HUB_PICKLE_ONLY' });
  });

  it.each([
    '../etc',
    'a/../b',
    'owner/..',
    'owner/na--me',
    'owner/name.git',
    '',
    'ow ner/x',
    'owner/name@../x',
    'owner/x?y=z',
  ])('refuses the id %j without a request', async (id) => {
    await expect(resolveModelFolder(id)).rejects.toMatchObject({
      code: expect.stringMatching(/^(HUB_ID_INVALID|CHECKPOINT_NOT_FOUND)$/) as string,
    });
    expect(at.hub.requests).toEqual([]);
  });

  it('refuses a listing with a path that leads out of the cache', async () => {
    at.hub.files['../../escape.json'] = Buffer.from('{}');
    await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({ code: 'HUB_CORRUPT' });
  });
});
