/** Adding images on the web page, and who can use it: files, folders, imports, and what axe finds, in a real browser. */
import { mkdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { axeFindings, give, hasBrowser, launchBrowser, titleWithBrowser } from './support/browser.js';
import { totalImages } from './support/collection.js';
import { colourPng } from './support/images.js';
import { formRequest } from './support/server.js';
import { COLOURS } from './support/tiny-checkpoint.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.skipIf(!hasBrowser)(titleWithBrowser('the web page, adding images'), () => {
  const folder = useFolder();
  const disk = join(folder, 'disk');
  const server = useServer(folder, () => {
    mkdirSync(disk);
    return { IMPORT_ROOT: disk };
  });
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    for (const name of Object.keys(COLOURS)) {
      const form = formRequest({ image: await colourPng(name), captions: `a ${name} picture`, tags: name });
      await server.json('/images', form);
    }
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    page = await browser.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('dialog', (dialog) => void dialog.accept());
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  const put = async (path: string, content: string | Uint8Array) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  };
  const firstCaption = () => page.locator('.tile .tile-caption').first().textContent();
  const isLoaded = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => (element as unknown as { decode(): Promise<void> }).decode());

  it('adds the files that are images, names the others, shows the new ones, and removes one', async () => {
    await page.goto(server.url);
    await page.locator('.tile').first().waitFor();
    const before = await totalImages(server);
    await page
      .locator('#add-files')
      .setInputFiles([
        await put(join(folder, 'new-1.png'), await colourPng('white', 9)),
        await put(join(folder, 'no-image.png'), 'not an image'),
        await put(join(folder, 'old.png'), await colourPng('red')),
        await put(join(folder, 'new-2.png'), await colourPng('black', 9)),
      ]);
    await page.getByText('2 images added, 1 image already stored, 1 file refused.').waitFor();
    expect(await page.locator('#refused li').allTextContents()).toEqual([
      expect.stringMatching(/^no-image\.png: The file is not an image/),
    ]);
    expect(complaints).toEqual([expect.stringMatching(/422/)]);
    complaints = [];
    await page.getByText(`${before + 2} images, newest first`).waitFor();
    expect(await firstCaption()).toMatch(/^new-[12][.]png$/);
    await page.locator('.tile').first().click();
    // A picture that is still on its way when it is removed would be one that is not found.
    await isLoaded('#viewer img');
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByText(`${before + 1} images, newest first`).waitFor();
    expect(await firstCaption()).toMatch(/^new-[12][.]png$/);
    expect(await totalImages(server)).toBe(before + 1);
  });

  it('adds the images of a folder, whatever else is in it, and can be cancelled', async () => {
    const album = join(folder, 'album');
    for (const [n, name] of ['red', 'green', 'blue', 'white'].entries())
      await put(join(album, 'deep', `${name}.png`), await colourPng(name, 20 + n));
    await put(join(album, 'broken.jpg'), 'no image');
    await put(join(album, 'notes.txt'), 'not to be added');
    await page.goto(server.url);
    await page.locator('#add-folder').setInputFiles(album);
    await page.getByText('4 images added, 1 file refused.').waitFor();
    expect(await page.locator('#refused li').allTextContents()).toEqual([
      expect.stringMatching(/^album\/broken[.]jpg: The file is not an image/),
    ]);
    expect(complaints).toEqual([expect.stringMatching(/422/)]);
    complaints = [];
    await page.getByRole('button', { name: 'Close' }).click();
    expect(await page.locator('#adding').isVisible()).toBe(false);

    // None of the requests is answered, so that all of them are under way.
    await page.route('**/images', (route) =>
      route.request().method() === 'POST' ? undefined : route.continue(),
    );
    await page.locator('#add-folder').setInputFiles(album);
    await page.getByText('Adding 5 images…').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('0 images added, cancelled with 5 files left.').waitFor();
  });

  it('tries a file again that the server has no room for now', async () => {
    let refusals = 2;
    await page.route('**/images', async (route) => {
      if (route.request().method() !== 'POST' || refusals-- <= 0) return route.continue();
      await route.fulfill({ status: 503, headers: { 'Retry-After': '0' }, json: { code: 'overloaded' } });
    });
    await page.goto(server.url);
    const file = await put(join(folder, 'patient.png'), await colourPng('cyan', 30));
    await page.locator('#add-files').setInputFiles(file);
    await page.getByText('1 image added.').waitFor();
    expect(complaints.splice(0)).toHaveLength(2);
  });

  it("imports a folder of the server's disk, with what it did not take", async () => {
    for (const [n, name] of ['red', 'blue'].entries())
      await put(join(disk, 'scans', `${name}.png`), await colourPng(name, 40 + n));
    await put(join(disk, 'scans', 'torn.png'), 'no image');
    await page.goto(server.url);
    await page.getByRole('button', { name: 'From the server…' }).click();
    await page.getByLabel(/^Folder of images/).fill('../elsewhere');
    await page.keyboard.press('Enter');
    await page.locator('#import-status.bad').waitFor();
    expect(complaints.splice(0)).toEqual([expect.stringMatching(/40[03]/)]);
    await page.getByLabel(/^Folder of images/).fill('scans');
    await page.keyboard.press('Enter');
    await page.getByText('done: 2 added, 1 refused').waitFor();
    const row = page.locator('#import-list > li', { hasText: 'scans' });
    await row.getByText('1 file refused').click();
    expect(await row.locator('.refused li').allTextContents()).toEqual([expect.stringMatching(/torn[.]png/)]);
    await page.getByRole('button', { name: /^Import again: .*scans$/ }).click();
    await page.getByText('done: 0 added, 2 already stored, 1 refused').waitFor();
  });

  it('pauses, resumes, cancels and restarts an import by its buttons', async () => {
    // Large enough that none of this finds it done; its bytes differ behind the end of the picture.
    const blank = { width: 1500, height: 1500, channels: 3, background: 'grey' } as const;
    const png = await sharp({ create: blank }).png().toBuffer();
    for (let n = 0; n < 320; n++)
      await put(join(disk, 'large', `${n}.png`), Buffer.concat([png, Buffer.from(`${n}`)]));
    await put(join(disk, 'large', '0-torn.png'), 'no image');
    await page.goto(server.url);
    await page.getByRole('button', { name: 'From the server…' }).click();
    await page.getByLabel(/^Folder of images/).fill('large');
    await page.keyboard.press('Enter');
    const row = page.locator('#import-list > li', { hasText: 'large' });
    const press = (name: string) =>
      row.getByRole('button', { name: new RegExp(`^${name}: .*large$`) }).click();
    await press('Pause');
    await row.getByText(/^paused at \d+ of (321|0)/).waitFor();
    await press('Go on');
    await row.getByRole('button', { name: /^Pause: / }).waitFor();
    // The focus stays on the row whose buttons have changed.
    expect(await row.locator(':focus').count()).toBe(1);
    // The row changes with every file. What is opened stays open, and a press lasts as long as the button is held.
    await row.getByText('1 file refused').click();
    const stateOf = () => row.locator('.status').textContent();
    const before = await stateOf();
    await row.getByRole('button', { name: /^Cancel: / }).hover();
    await page.mouse.down();
    await expect.poll(stateOf, { timeout: 20_000 }).not.toBe(before);
    expect(await row.locator('details[open]').count()).toBe(1);
    await page.mouse.up();
    await row.getByText(/^cancelled at \d+ of 321/).waitFor();
    await press('Resume');
    await press('Cancel');
    await row.getByText(/^cancelled at \d+ of 321/).waitFor();
    expect(await page.locator('#import-status').textContent()).toBe('');
    // Those that came in would fill the page, whose pictures other tests count.
    for (let many = true; many;) {
      const path = '/images?limit=100';
      const { items } = await server.json<{ items: { id: string; width: number }[] }>(path);
      const large = items.filter(({ width }) => width === blank.width);
      await Promise.all(large.map(({ id }) => server.fetch(`/images/${id}`, { method: 'DELETE' })));
      many = large.length > 0;
    }
  });

  it('adds pictures that are dropped anywhere, and classifies one that is dropped or pasted', async () => {
    await page.goto(server.url);
    await page.locator('.tile').first().waitFor();
    await give(page, '#panel-search', 'drop', { 'dropped.png': await colourPng('white', 60) });
    await page.getByText('1 image added.').waitFor();
    expect(await firstCaption()).toBe('dropped.png');
    await page.getByRole('tab', { name: 'Classify' }).click();
    await page.locator('#labels').fill('red, blue');
    await give(page, '#drop', 'drop', { 'red.png': await colourPng('red', 61) });
    await page.getByText('Most likely: red').waitFor();
    await give(page, 'body', 'paste', { 'blue.png': await colourPng('blue', 61) });
    await page.getByText('Most likely: blue').waitFor();
  });

  it('has nothing that axe finds fault with, in light and dark, at a desk and on a phone', async () => {
    const picture = await put(join(folder, 'picture.png'), await colourPng('red', 50));
    for (const [colorScheme, width] of [
      ['light', 1280],
      ['dark', 360],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      const findings = async (what: string) => [colorScheme, what, await axeFindings(page)];
      const none = (what: string) => [colorScheme, what, []];
      await page.goto(`${server.url}/?q=red&not=blue`);
      await page.locator('.tile-score').first().waitFor();
      await page.getByText('Narrow the search').click();
      await page.locator('.tile-check').first().check();
      expect(await findings('search')).toEqual(none('search'));
      await page.locator('.tile').first().click();
      await page.getByText('Captions and tags', { exact: true }).click();
      expect(await findings('image')).toEqual(none('image'));
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Models' }).click();
      await page.locator('#model-list li').first().waitFor();
      expect(await findings('models')).toEqual(none('models'));
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'From the server…' }).click();
      await page.locator('#import-list').waitFor({ state: 'attached' });
      expect(await findings('imports')).toEqual(none('imports'));
      await page.keyboard.press('Escape');
      await page.getByRole('tab', { name: 'Classify' }).click();
      await page.locator('#classify-file').setInputFiles(picture);
      await page.locator('.bar').first().waitFor();
      expect(await findings('classify')).toEqual(none('classify'));
    }
  });
});
