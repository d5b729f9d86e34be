/** Models by hub id, against a local server with the hub's endpoints: downloads, the cache, proxies. */
import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { resolveModelFolder, type DownloadProgress } from '@clip-ts/clip';
import { describe, expect, it, vi } from 'vitest';
import { COMMIT, startHubServer } from './hub-server.js';
import { FILES, useHub, weights } from './use-hub.js';

const at = useHub();
const repository = () => join(at.root, 'hub/models--owner--name');

describe('resolveModelFolder', () => {
  it('returns a folder as it is', async () => {
    expect(await resolveModelFolder(at.root)).toBe(at.root);
  });

  it('downloads what is needed and no more, in the layout that Python shares', async () => {
    const folder = await resolveModelFolder('owner/name');
    expect(folder).toBe(join(repository(), 'snapshots', COMMIT));
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect((await lstat(join(folder, 'model.safetensors'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
    expect(await readFile(join(repository(), 'refs/main'), 'utf8')).toBe(COMMIT);
    expect((await readdir(join(repository(), 'blobs'))).every((name) => /^[0-9a-f]{40,64}$/.test(name))).toBe(
      true,
    );
  });

  it('asks for nothing twice: cached files are not downloaded, a cached commit not even asked for', async () => {
    await resolveModelFolder('owner/name');
    at.hub.requests.length = 0;
    await resolveModelFolder('owner/name');
    expect(at.hub.requests.every((request) => request.includes('/api/'))).toBe(true);
    at.hub.requests.length = 0;
    await resolveModelFolder(`owner/name@${COMMIT}`);
    expect(at.hub.requests).toEqual([]);
  });

  it('chooses the ONNX models of both towers where there are both, and the weights when asked', async () => {
    at.hub.files['onnx/vision_model.onnx'] = randomBytes(100);
    at.hub.files['onnx/text_model.onnx'] = randomBytes(100);
    at.hub.files['onnx/text_model.onnx_data'] = randomBytes(100);
    at.hub.files['onnx/text_model_quantized.onnx'] = randomBytes(100);
    const folder = await resolveModelFolder('owner/name');
    expect(await readdir(join(folder, 'onnx'))).toEqual([
      'text_model.onnx',
      'text_model.onnx_data',
      'vision_model.onnx',
    ]);
    await rm(at.root, { recursive: true });
    const trained = await resolveModelFolder('owner/name', { files: 'weights', revision: 'v1' });
    expect((await readdir(trained)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(await readFile(join(repository(), 'refs/v1'), 'utf8')).toBe(COMMIT);
  });

  it('fetches all shards of a large model, or the files that are listed', async () => {
    delete (at.hub.files as Partial<typeof FILES>)['model.safetensors'];
    at.hub.files['model.safetensors.index.json'] = Buffer.from('{}');
    at.hub.files['model-00001-of-00002.safetensors'] = randomBytes(70);
    at.hub.files['model-00002-of-00002.safetensors'] = randomBytes(70);
    const folder = await resolveModelFolder('owner/name');
    expect((await readdir(folder)).filter((name) => name.startsWith('model-'))).toHaveLength(2);
    await resolveModelFolder('owner/name', { files: ['README.md'] });
    expect(await readdir(folder)).toContain('README.md');
    const missing = resolveModelFolder('owner/name', { files: ['README.md', 'vocab.txt'] });
    await expect(missing).rejects.toThrow('owner/name lacks vocab.txt');
  });

  it('resumes where the connection was cut, and reports progress over all files', async () => {
    at.hub.cuts = [100_000, 70_000];
    const progress: DownloadProgress[] = [];
    const folder = await resolveModelFolder('owner/name', { onProgress: (step) => progress.push(step) });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
    const ranges = at.hub.requests
      .filter((request) => request.includes('model.safetensors'))
      .map((request) => request.split(' ')[2]);
    expect(ranges).toEqual([undefined, 'bytes=100000-', 'bytes=170000-']);
    const received = progress.map((step) => step.receivedBytes);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    const last = progress.at(-1)!;
    expect(last).toMatchObject({
      file: 'model.safetensors',
      fileBytes: 300_000,
      receivedBytes: last.totalBytes,
    });
  });

  it('resumes what an earlier run left, and starts over when that is damaged', async () => {
    at.hub.cuts = Array<number>(5).fill(0);
    at.hub.cuts[0] = 1000;
    const stopped = resolveModelFolder('owner/name');
    await expect(stopped).rejects.toMatchObject({ code: 'HUB_UNREACHABLE', expected: '300000 bytes' });
    await expect(stopped).rejects.toThrow('Run the same command again');
    at.hub.cuts = [];
    at.hub.requests.length = 0;
    await resolveModelFolder('owner/name');
    expect(at.hub.requests.at(-1)).toContain('bytes=1000-');

    await rm(join(repository(), 'snapshots'), { recursive: true });
    const [blob] = (await readdir(join(repository(), 'blobs'))).filter((name) => name.length === 64);
    const path = join(repository(), 'blobs', blob!);
    await rm(path);
    await writeFile(`${path}.incomplete`, Buffer.alloc(5000));
    await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({ code: 'HUB_CORRUPT' });
    const folder = await resolveModelFolder('owner/name');
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it('uses nothing that fails its checksum', async () => {
    at.hub.corrupt = true;
    await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({ code: 'HUB_CORRUPT' });
    expect(await readdir(join(repository(), 'blobs'))).not.toContain(await blobName());
  });

  it('downloads once when two ask at the same time, and is not held up by the lock of a killed process', async () => {
    await mkdir(join(repository(), 'blobs'), { recursive: true });
    const oid = await blobName();
    await writeFile(join(repository(), 'blobs', `${oid}.lock`), '4194304999 elsewhere');
    const { utimes } = await import('node:fs/promises');
    await utimes(join(repository(), 'blobs', `${oid}.lock`), 1, 1);
    await Promise.all([resolveModelFolder('owner/name'), resolveModelFolder('owner/name')]);
    expect(at.hub.requests.filter((request) => request.includes('model.safetensors'))).toHaveLength(1);
  });

  it('shows the token to the hub and to no server that it redirects to', async () => {
    const cdn = await startHubServer({ ...FILES });
    at.hub.redirectTo = cdn.endpoint.replace('127.0.0.1', 'localhost');
    vi.stubEnv('HF_TOKEN', 'secret');
    await resolveModelFolder('owner/name');
    expect(new Set(at.hub.tokens)).toEqual(new Set(['Bearer secret']));
    expect(cdn.requests.length).toBeGreaterThan(0);
    expect(new Set(cdn.tokens)).toEqual(new Set([undefined]));
    await cdn.close();
  });

  it('works offline with what the cache has, and says what to do when it lacks something', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(resolveModelFolder('owner/name')).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    await expect(resolveModelFolder('owner/name')).rejects.toThrow('Unset HF_HUB_OFFLINE');
    vi.stubEnv('HF_HUB_OFFLINE', '0');
    const folder = await resolveModelFolder('owner/name');
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    at.hub.requests.length = 0;
    expect(await resolveModelFolder('owner/name')).toBe(folder);
    await rm(join(folder, 'model.safetensors'));
    await expect(resolveModelFolder('owner/name')).rejects.toThrow('does not have all of owner/name');
    expect(at.hub.requests).toEqual([]);
  });

  it('uses the cache when the hub cannot be reached', async () => {
    await expect(unreachable()).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    const folder = await resolveModelFolder('owner/name');
    expect(await unreachable()).toBe(folder);

    async function unreachable(): Promise<string> {
      vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
      try {
        return await resolveModelFolder('owner/name');
      } finally {
        vi.stubEnv('HF_ENDPOINT', at.hub.endpoint);
      }
    }
  });

  it('writes nothing into a cache that has all files, and says so when it cannot download into one', async () => {
    const folder = await resolveModelFolder('owner/name');
    const folders = ['', 'refs', 'blobs', `snapshots/${COMMIT}`].map((name) => join(repository(), name));
    const times = () => Promise.all(folders.map(async (path) => (await lstat(path)).mtimeMs));
    for (const path of folders) await chmod(path, 0o555);
    const before = await times();
    expect(await resolveModelFolder('owner/name')).toBe(folder);
    expect(await times()).toEqual(before);
    for (const path of folders) await chmod(path, 0o755);

    // Not even root can write below a file.
    await writeFile(join(at.root, 'file'), '');
    vi.stubEnv('HF_HUB_CACHE', join(at.root, 'file/cache'));
    const failure = resolveModelFolder('owner/name');
    await expect(failure).rejects.toMatchObject({ code: 'HUB_CACHE_UNWRITABLE' });
    await expect(failure).rejects.toThrow(join(at.root, 'file/cache'));
  });

  it('goes through the proxy of the environment, except to what NO_PROXY lists', async () => {
    const { hostname, port } = new URL(at.hub.endpoint);
    const asked: string[] = [];
    const proxy = createServer().on('connect', (request, client) => {
      asked.push(request.url!);
      const upstream = connect(Number(port), hostname, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    // Nobody but the proxy knows this name.
    vi.stubEnv('HF_ENDPOINT', 'http://hub.invalid');
    const folder = await resolveModelFolder('owner/name');
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
    expect(new Set(asked)).toEqual(new Set(['hub.invalid:80']));

    asked.length = 0;
    vi.stubEnv('NO_PROXY', '.example, 127.0.0.1');
    vi.stubEnv('HF_ENDPOINT', at.hub.endpoint);
    await resolveModelFolder('owner/name');
    expect(asked).toEqual([]);
    await new Promise((resolve) => proxy.close(resolve).closeAllConnections());

    vi.stubEnv('HTTP_PROXY', 'user:secret@proxy');
    await expect(resolveModelFolder('owner/name')).rejects.toThrow(/^(?!.*secret).*cannot be used/);
  });
});

async function blobName(): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(weights).digest('hex');
}
