/** The web page over a larger collection, and while another model is built, in a real browser. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasBrowser, launchBrowser, titleWithBrowser } from './support/browser.js';
import { colourPng, rgbPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { writeTinyCheckpoint } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** As much of an element of the page as is measured here. */
interface PageElement {
  getBoundingClientRect(): { top: number; height: number };
  querySelector(selector: string): PageElement;
}

describe.skipIf(!hasBrowser)(titleWithBrowser('the web page'), () => {
  const folder = useFolder();
  const second = join(folder, 'second');
  let checkpoint: Record<string, string> = {};
  const server = useServer(folder, () => ({
    EXACT_SEARCH_LIMIT: '10',
    MAX_FILES: '60',
    MODEL_BUILD_RATE: '600',
    ...checkpoint,
  }));
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    await writeTinyCheckpoint(second, { gain: 0.05 });
    const image = await Promise.all(Array.from({ length: 47 }, (_, n) => rgbPng(4 * n, 9, 200)));
    await server.json('/images', formRequest({ image }));
    const captioned = formRequest({
      image: await colourPng('blue', 8),
      captions: 'a caption that is long enough to need a second line below its picture',
    });
    await server.json('/images', captioned);
    browser = await launchBrowser();
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser.close();
  });

  it('shows all images of a collection with a search graph, and asks for no more', async () => {
    expect(await server.json('/readyz')).toMatchObject({ index: { kind: 'hnsw' } });
    await page.goto(`${server.url}/?q=red`);
    await page.locator('.tile').nth(23).waitFor();
    await page.locator('.tile').nth(23).scrollIntoViewIfNeeded();
    await page.locator('.tile').nth(47).waitFor();
    expect(await page.getByRole('button', { name: 'Show more' }).isVisible()).toBe(false);
    // Pictures may still be loading.
    await page.goto('about:blank');
  });

  it('lets tiles with short and long captions begin and end on one line', async () => {
    await page.setViewportSize({ width: 700, height: 900 });
    await page.goto(server.url);
    await page.locator('.tile').nth(2).waitFor();
    const boxes = await page.locator('.tile').evaluateAll((tiles) =>
      (tiles as unknown as PageElement[]).slice(0, 3).map((tile) => {
        const [outer, picture] = [
          tile.getBoundingClientRect(),
          tile.querySelector('img').getBoundingClientRect(),
        ];
        return { top: Math.round(picture.top - outer.top), height: Math.round(outer.height) };
      }),
    );
    expect(new Set(boxes.map(({ top }) => top)).size).toBe(1);
    expect(boxes[0]!.top).toBeLessThanOrEqual(1);
    expect(new Set(boxes.map(({ height }) => height)).size).toBe(1);
  });

  it('shows how far another model is, goes back to the one before, and deletes one', async () => {
    expect(await server.stop()).toBe(0);
    checkpoint = { CLIP_CHECKPOINT: second };
    await server.start();
    const states = async () =>
      (await server.json<{ items: { state: string }[] }>('/models')).items.map(({ state }) => state);
    await page.goto(server.url);
    await page.getByRole('button', { name: 'Models' }).click();
    await page.getByText(/^is being built: \d+ of 48 images$/).waitFor();
    expect(await page.locator('#model-list progress').getAttribute('max')).toBe('48');
    await page.getByRole('button', { name: 'Go back to it' }).click();
    await vi.waitFor(async () => expect(await states()).toEqual(['active', 'ready']), 20_000);
    await page.locator('#model-list li').first().getByText('answers').waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await page.getByRole('button', { name: 'Delete' }).click();
    await vi.waitFor(async () => expect(await states()).toEqual(['active']), 20_000);
    await page.locator('#model-list li').nth(1).waitFor({ state: 'detached' });
    expect(await page.locator('#models-status').textContent()).toBe('');
  });
});
