/** The demo page in a real browser: the model of the service runs there, and scores as the service does. */
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp, { type Sharp } from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { axeFindings, give, hasBrowser, launchBrowser, titleWithBrowser } from './support/browser.js';
import { freshDataFolder } from './support/data-folder.js';
import { FLOAT, onnxFile } from './support/onnx-file.js';
import { TestServer, formRequest, jsonRequest } from './support/server.js';
import { EMBEDDING_SIZE, IMAGE_SIZE } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

interface Score {
  label: string;
  score: number;
  similarity: number;
}
const LABELS = ['red', 'blue', 'a green and yellow', 'Σ'];

/** A picture with edges and gradients, so that another way of resizing shows. */
function picture(width: number, height: number, alpha = false): Sharp {
  const channels = alpha ? 4 : 3;
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const [channel, x, y] = [
      i % channels,
      Math.floor(i / channels) % width,
      Math.floor(i / channels / width),
    ];
    if (channel === 3) return x < width / 2 ? 40 : 255;
    const stripe = (x >> 2) % 3 === channel ? 150 : 0;
    return (stripe + (channel === 0 ? (x * 255) / width : (y * 255) / height)) % 256;
  });
  return sharp(pixels, { raw: { width, height, channels } });
}

/** A vision model that sees where things are: [B, 3 · 16 · 16] × numbers that look random. */
function spatialModel(): Buffer {
  const size = 3 * IMAGE_SIZE * IMAGE_SIZE;
  const weight = Float32Array.from({ length: size * EMBEDDING_SIZE }, (_, i) => Math.sin(i * i + 7 * i) / 8);
  return onnxFile({
    inputs: [{ name: 'pixel_values', type: FLOAT, shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE] }],
    outputs: [{ name: 'image_embeds', type: FLOAT, shape: ['batch', EMBEDDING_SIZE] }],
    constants: [{ name: 'weight', shape: [size, EMBEDDING_SIZE], data: weight }],
    nodes: [
      { op: 'Flatten', inputs: ['pixel_values'], outputs: ['flat'], attributes: { axis: 1 } },
      { op: 'MatMul', inputs: ['flat', 'weight'], outputs: ['image_embeds'] },
    ],
  });
}

describe.skipIf(!hasBrowser)(titleWithBrowser('the demo page'), () => {
  const folder = useFolder();
  const server = useServer(folder, () => {
    writeFileSync(join(folder, 'checkpoint', 'onnx', 'vision_model.onnx'), spatialModel());
    return {};
  });
  let browser: Browser;
  let page: Page;
  let requests: { url: string; method: string }[];
  let complaints: string[];

  beforeAll(async () => {
    const templates = ['a {} thing', 'clip-7'];
    const set = { name: 'colours', labels: ['red', 'blue, or so', 'green'], templates };
    await server.json('/label-sets', jsonRequest(set));
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    page = await browser.newPage();
    [requests, complaints] = [[], []];
    page
      .context()
      .on('request', (request) => requests.push({ url: request.url(), method: request.method() }));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(`${server.url}/demo`);
    await page.locator('#model-status', { hasText: 'runs on' }).waitFor();
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  const fileOf = async (name: string, image: Sharp): Promise<string> => {
    const file = join(folder, name);
    await image.toFile(file);
    return file;
  };
  /** The scores on the page when it has taken in all that `change` does. */
  const scoresAfter = async (change: () => Promise<unknown>): Promise<Score[]> => {
    await change();
    await page.locator('#bars[aria-busy=false]').waitFor();
    return JSON.parse((await page.locator('#bars').getAttribute('data-scores'))!) as Score[];
  };

  it('scores any kind of file as the service does, and sends it nowhere', async () => {
    const files = [
      await fileOf('plain.jpg', picture(640, 480).jpeg()),
      await fileOf('progressive.jpg', picture(801, 603).jpeg({ progressive: true, quality: 95 })),
      await fileOf('grey.jpg', picture(300, 200).greyscale().jpeg()),
      await fileOf('turned.jpg', picture(320, 200).jpeg().withMetadata({ orientation: 6 })),
      await fileOf('transparent.png', picture(200, 330, true).png()),
      await fileOf('transparent.webp', picture(200, 330, true).webp({ lossless: true })),
    ];
    await page.locator('#labels').fill(LABELS.join('\n'));
    for (const [index, file] of files.entries()) {
      const [multi, background] = [index % 2 === 1, index > 2];
      const here = await scoresAfter(async () => {
        await page.locator('#multi').setChecked(multi);
        await page.locator('#background').setChecked(background);
        await page.locator('#demo-file').setInputFiles(file);
      });
      const form = formRequest({
        image: new Uint8Array(await readFile(file)),
        labels: JSON.stringify(LABELS),
        hypothesis_template: '{}',
        multi_label: String(multi),
        background: String(background),
      });
      const there = await server.json<Score[]>('/classify', form);
      const close = (value: number) => expect.closeTo(value, 5) as number;
      expect([file, here]).toEqual([
        file,
        there.map(({ label, score, similarity }) => ({
          label,
          score: close(score),
          similarity: close(similarity),
        })),
      ]);
    }
    const elsewhere = requests.filter(({ url }) => new URL(url).origin !== server.url);
    expect([elsewhere, requests.filter(({ method }) => method !== 'GET')]).toEqual([[], []]);
  });

  it('takes saved labels with their templates', async () => {
    const file = await fileOf('saved.png', picture(90, 60).png());
    const here = await scoresAfter(async () => {
      await page.getByLabel('Saved labels').selectOption('colours (3)');
      await page.locator('#demo-file').setInputFiles(file);
    });
    const form = formRequest({
      image: new Uint8Array(await readFile(file)),
      label_set: 'colours',
      background: 'true',
    });
    const there = await server.json<Score[]>('/classify', form);
    expect(here.map(({ label }) => label)).toEqual(there.map(({ label }) => label));
    here.forEach(({ score }, n) => expect(score).toBeCloseTo(there[n]!.score, 5));
  });

  it('says why a model of the hub is not loaded, and is loaded by no other page', async () => {
    await page.goto(`${server.url}/demo/?model=someone/clip`);
    await page.getByText('This server does not allow models of the hub').waitFor();
    const main = await browser.newPage();
    const asked: string[] = [];
    main.on('request', (request) => asked.push(request.url()));
    await main.goto(server.url);
    await main.getByText('The collection is empty.').waitFor();
    expect(asked.filter((url) => url.includes('/demo'))).toEqual([]);
    await main.close();
  });

  it('takes an image that is dropped, and one that is pasted', async () => {
    await page.locator('#labels').fill('red, blue');
    await page.locator('#background').uncheck();
    const png = async (width: number) => new Uint8Array(await picture(width, 40).png().toBuffer());
    const [dropped, pasted] = [await png(50), await png(150)];
    for (const [how, image] of [
      ['drop', dropped],
      ['paste', pasted],
    ] as const) {
      const here = await scoresAfter(() => give(page, '#drop', how, { 'given.png': image }));
      const form = formRequest({ image, labels: JSON.stringify(['red', 'blue']) });
      const there = await server.json<Score[]>('/classify', form);
      expect([how, here[0]!.label]).toEqual([how, there[0]!.label]);
      expect(here[0]!.score).toBeCloseTo(there[0]!.score, 5);
    }
  });

  it('runs a model of the hub where the service allows it', async () => {
    const checkpoint = join(folder, 'checkpoint');
    const data = await freshDataFolder(join(folder, 'hub'));
    const allowing = await TestServer.start({ CLIP_CHECKPOINT: checkpoint, DATA_DIR: data, DEMO_HUB: '1' });
    const asked: string[] = [];
    await page.route('https://huggingface.co/**', async (route) => {
      const path = new URL(route.request().url()).pathname;
      asked.push(path);
      const file = path.replace('/someone/tiny-clip/resolve/main/', '');
      const body = await readFile(join(checkpoint, file)).catch(() => undefined);
      const headers = { 'Access-Control-Allow-Origin': '*' };
      await route.fulfill({ status: body === undefined ? 404 : 200, body: body ?? '', headers });
    });
    await page.goto(`${allowing.url}/demo/?model=someone/tiny-clip`);
    await page.getByText('someone/tiny-clip runs on').waitFor();
    // It has no quantised files, which are the default on a processor.
    expect(await page.locator('#model-status').textContent()).toMatch(
      /It is not published as q8; its fp32 files are used \(\d+[.]\d MB\)[.]$/,
    );
    expect(asked).toContain('/someone/tiny-clip/resolve/main/onnx/vision_model.onnx');
    const file = await fileOf('hub.png', picture(70, 50).png());
    await page.locator('#labels').fill('red, blue');
    await page.locator('#background').uncheck();
    const here = await scoresAfter(() => page.locator('#demo-file').setInputFiles(file));
    const image = new Uint8Array(await readFile(file));
    const form = formRequest({ image, labels: JSON.stringify(['red', 'blue']) });
    const there = await server.json<Score[]>('/classify', form);
    here.forEach(({ score }, n) => expect(score).toBeCloseTo(there[n]!.score, 5));
    // The hub has no file that a model may lack.
    expect(complaints.splice(0).filter((text) => !text.includes('404'))).toEqual([]);
    await page.goto('about:blank');
    expect(await allowing.stop()).toBe(0);
  });

  it('moves the bars as labels are edited and follows a camera', async () => {
    await page.locator('#labels').fill('red');
    const one = await scoresAfter(() => page.getByRole('button', { name: 'Use the camera' }).click());
    expect(one.map(({ label }) => label).sort()).toEqual(['none of the above', 'red']);
    await page.locator('#labels').fill('red, blue');
    await page.locator('.bar', { hasText: 'blue' }).waitFor();
    expect(await page.locator('#video').isVisible()).toBe(true);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await axeFindings(page)).toEqual([]);
    }
    await page.getByRole('button', { name: 'Stop the camera' }).click();
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});
