/** The web page over a larger collection, and while another model is built, in a real browser. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasBrowser, launchBrowser, spokenTree, titleWithBrowser } from './support/browser.js';
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
    // Coming back shows as many of them, at the same place.
    await page.locator('.tile').nth(47).click();
    await page.getByRole('button', { name: 'Find similar' }).click();
    await page.getByText(/^Images like/).waitFor();
    expect(await page.evaluate('scrollY')).toBe(0);
    await page.goBack();
    await page.locator('.tile').nth(47).waitFor();
    await vi.waitFor(async () => expect(await page.evaluate('scrollY')).toBeGreaterThan(500), 10_000);
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

  it('can be used by the keyboard alone, and says what happens', async () => {
    await page.setViewportSize({ width: 1000, height: 900 });
    await page.goto(server.url);
    await page.locator('.tile').nth(23).waitFor();
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () =>
      page.evaluate<string>(`{
      const { id, className, parentElement } = document.activeElement;
      const grid = document.querySelector('#grid');
      id || className + ' ' + [...grid.children].indexOf(parentElement);
    }`);
    // From the tabs through search and examples into the grid, in the order in which they are seen.
    await page.locator('#tab-search').focus();
    await press('ArrowRight');
    expect(await focused()).toBe('tab-classify');
    await press('ArrowLeft', '/');
    expect(await focused()).toBe('query');
    await page.keyboard.type('blue');
    await press('Enter');
    await page.getByText('Best matches for “blue”').waitFor();
    const order: string[] = [];
    for (let n = 0; n < 12 && !order.at(-1)?.startsWith('tile '); n++) {
      await press('Tab');
      order.push(await focused());
    }
    expect(order.filter((id) => !/^( -1|button)/.test(id)).at(-1)).toBe('tile 0');
    expect(order.indexOf('imports-open')).toBe(order.length - 2);

    // Arrows in the grid of four columns and to its ends; Space opens, Escape comes back to where it was.
    const columns = await page.locator('.tile').evaluateAll((tiles) => {
      const tops = (tiles as unknown as PageElement[]).map((tile) => tile.getBoundingClientRect().top);
      return tops.filter((top) => top === tops[0]).length;
    });
    await press('ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowLeft', 'ArrowUp', 'ArrowUp');
    expect(await focused()).toBe(`tile ${columns - 1 - columns}`.replace('-1', String(columns - 1)));
    await press('End');
    const end = await focused();
    await press('ArrowDown', 'Home', 'ArrowLeft', 'ArrowDown');
    expect([end, await focused()]).toEqual([expect.stringMatching(/^tile (23|47)$/), `tile ${columns}`]);
    await press('Space');
    expect(await page.locator('#viewer').isVisible()).toBe(true);
    await press('Escape');
    expect(await focused()).toBe(`tile ${columns}`);

    // The focus finds its place again in a list that was drawn anew behind the dialog.
    await press('Enter');
    await page.getByText('Captions and tags', { exact: true }).click();
    await page.getByLabel('Tags, one per line').fill('by keyboard');
    await page.getByLabel('Tags, one per line').press('Tab');
    await press('Enter');
    await page.getByText('Saved.').waitFor();
    await page.locator('#grid[aria-busy=false]').waitFor();
    await press('Escape');
    await vi.waitFor(async () => expect(await focused()).toBe(`tile ${columns}`));
    await press('Tab', 'Space');
    expect(await focused()).toBe(`tile-check ${columns}`);

    const spoken = await spokenTree(page);
    expect(spoken).toContain('StaticText: Best matches for “blue”');
    expect(spoken).toContain('StaticText: 1 selected');
    // A tile is read once, with its score.
    expect(spoken).toContainEqual(
      expect.stringMatching(/^button: Score \d[.]\d{3} a caption that is long [a-z ]+$/),
    );
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
