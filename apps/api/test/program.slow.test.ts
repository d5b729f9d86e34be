/** The program at its start: its help, and what must fail clearly. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { freshDataFolder } from './support/data-folder.js';
import { runToEnd } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';
import { useCheckpoint, useFolder } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const folder = useFolder();
const checkpoint = useCheckpoint(folder);

// At the same time: one of them waits ten seconds for a database.
describe.concurrent('the program', () => {
  it('lists its settings with --help', async () => {
    const { code, output } = await runToEnd({}, ['--help']);
    expect(code).toBe(0);
    expect(output).toMatch(/CLIP_CHECKPOINT/);
  });

  it('refuses arguments, since its settings are environment variables, with exit code 2', async () => {
    const { code, output } = await runToEnd({ CLIP_CHECKPOINT: checkpoint }, ['--port', '3000']);
    expect([code, output]).toEqual([2, expect.stringMatching(/^Unknown argument --port\. .*--help/)]);
  });

  it('says which settings it cannot use, with exit code 2', async () => {
    const { code, output } = await runToEnd({ PORT: 'http' });
    expect(code).toBe(2);
    expect(output).toMatch(/CLIP_CHECKPOINT is not set/);
    expect(output).toMatch(/PORT: expected a whole number; found http/);
    expect(output).not.toMatch(/\.js:\d/);
  });

  it('says which database takes connections and never answers, with exit code 2', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const { code, output } = await runToEnd({
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: await freshDataFolder(join(folder, 'silent')),
      DATABASE_URL: `postgresql://user:secret@127.0.0.1:${port}/images`,
    });
    silent.close();
    expect([code, output]).toEqual([2, expect.stringMatching(/the server that DATABASE_URL names.*timeout/)]);
    expect(output).not.toMatch(/secret|\.js:\d/);
  });

  it('says what is wrong with a checkpoint, with exit code 2', async () => {
    const data = { DATA_DIR: await freshDataFolder(join(folder, 'refused')) };
    const absent = await runToEnd({ ...data, CLIP_CHECKPOINT: join(folder, 'absent') });
    expect([absent.code, absent.output]).toEqual([2, expect.stringMatching(/absent/)]);
    const broken = await writeTinyCheckpoint(join(folder, 'broken'));
    await writeFile(join(broken, 'onnx', 'vision_model.onnx'), 'not a model');
    const refused = await runToEnd({ ...data, CLIP_CHECKPOINT: broken });
    expect([refused.code, refused.output]).toEqual([2, expect.stringMatching(/vision_model\.onnx/)]);
    await rm(join(broken, 'tokenizer.json'));
    const incomplete = await runToEnd({ ...data, CLIP_CHECKPOINT: broken });
    expect([incomplete.code, incomplete.output]).toEqual([2, expect.stringMatching(/lacks tokenizer\.json/)]);
    for (const { output } of [absent, refused, incomplete]) expect(output).not.toMatch(/\.js:\d/);
  });

  it('says when the data folder cannot be made, with exit code 2', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const { code, output } = await runToEnd({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: join(file, 'data') });
    expect(code).toBe(2);
    expect(output).toMatch(/data folder .*a-file.data cannot be written: ENOTDIR/);
    expect(output).not.toMatch(/\.js:\d/);
  });

  it('says when the port is taken or the database cannot be reached, with exit code 2', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const { port } = blocker.address() as AddressInfo;
    const env = { CLIP_CHECKPOINT: checkpoint, DATA_DIR: await freshDataFolder(join(folder, 'unused')) };
    const taken = await runToEnd({ ...env, PORT: String(port) });
    expect([taken.code, taken.output]).toEqual([
      2,
      expect.stringMatching(/Port \d+ on 127\.0\.0\.1 is in use/),
    ]);
    const url = 'postgresql://user:secret@127.0.0.1:1/none';
    const unreachable = await runToEnd({ ...env, DATABASE_URL: url });
    expect([unreachable.code, unreachable.output]).toEqual([
      2,
      expect.stringMatching(/database cannot be used/),
    ]);
    expect(unreachable.output).not.toMatch(/secret/);
    blocker.close();
  });

  it('says which settings of access it cannot use, with exit code 2', async () => {
    const { code, output } = await runToEnd({
      CLIP_CHECKPOINT: checkpoint,
      TRUST_PROXY: 'true',
      ALLOWED_HOSTS: 'http://x',
      CORS_ORIGIN: 'https://a.example/path',
      API_KEY: 'schlüssel-schlüssel',
    });
    expect(code).toBe(2);
    for (const name of ['TRUST_PROXY', 'ALLOWED_HOSTS', 'CORS_ORIGIN', 'API_KEY'])
      expect(output).toMatch(new RegExp(`${name}: expected`));
    const missing = await runToEnd({
      CLIP_CHECKPOINT: checkpoint,
      API_KEYS_FILE: join(folder, 'absent.json'),
    });
    expect([missing.code, missing.output]).toEqual([
      2,
      expect.stringMatching(/absent\.json \(API_KEYS_FILE\) cannot be used: ENOENT/),
    ]);
  });
});
