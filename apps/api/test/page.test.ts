/** The web page in a real browser. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasBrowser, launchBrowser, titleWithBrowser } from './support/browser.js';
import { colourPng } from './support/images.js';
import { formRequest, jsonRequest } from './support/server.js';
import { COLOURS } from './support/tiny-checkpoint.js';
import { openOperation } from './support/swagger-ui.js';
import { useFolder, useServer } from './support/use-server.js';

// Each test starts real processes, which a busy machine serves slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.skipIf(!hasBrowser)(titleWithBrowser('the web page'), () => {
  const folder = useFolder();
  const server = useServer(folder);
  let browser: Browser;
  let page: Page;
  /** What the browser complained about: errors of scripts, and what the content security policy refused. */
  let complaints: string[];

  /**
   * An image of each colour. Tests may add more, which are found beside them and push the oldest captions out of the
   * examples: none but these is magenta or red.
   */
  beforeAll(async () => {
    for (const name of Object.keys(COLOURS)) {
      const form = formRequest({ image: await colourPng(name), captions: `a ${name} picture`, tags: name });
      await server.json('/images', form);
    }
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  /** Width of the first picture of that kind in its own pixels, once it is there. */
  const loadedWidth = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate(async (element) => {
        const image = element as unknown as { naturalWidth: number; decode(): Promise<void> };
        await image.decode();
        return image.naturalWidth;
      });
  const firstCaption = () => page.locator('.tile .tile-caption').first().textContent();

  it('searches for what is typed and shows the best match first, with its score', async () => {
    await page.goto(server.url);
    await page.locator('.tile').nth(7).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('red');
    await page.keyboard.press('Enter');
    await page.locator('.tile-score').first().waitFor();
    expect(await firstCaption()).toBe('a red picture');
    expect(await page.locator('.tile-score').first().textContent()).toBe('Score1.000');
    expect(page.url()).toContain('?q=red');
    expect(await loadedWidth('.tile img')).toBe(40);
  });

  it('searches for an example, opens a picture and finds similar ones, by keyboard', async () => {
    await page.goto(server.url);
    await page.locator('#examples').getByRole('button', { name: 'a magenta picture' }).click();
    await page.locator('.tile-score').first().waitFor();
    await page.locator('.tile').first().focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('#viewer-title').textContent()).toBe('a magenta picture');
    await page.getByRole('button', { name: 'Find similar' }).click();
    await page.getByText('Images like a magenta picture').waitFor();
    expect(page.url()).toMatch(/[?]like=[0-9a-f]{64}$/);
    const captions = await page.locator('.tile .tile-caption').allTextContents();
    expect(captions).not.toContain('a magenta picture');
    await page.goBack();
    await page.locator('#search-status', { hasText: 'Best matches for “a magenta picture”' }).waitFor();
  });

  it('narrows by what the fields say, takes each condition away again, and has an address for all of it', async () => {
    await page.goto(server.url);
    await page.getByText('Narrow the search').click();
    await page.getByRole('textbox', { name: 'Tag', exact: true }).fill('-red');
    await page.keyboard.press('Enter');
    await page.getByLabel('Without').fill('green');
    await page.keyboard.press('Enter');
    await page.getByLabel('What to look for').fill('yellow');
    await page.keyboard.press('Enter');
    await page.locator('.tile-score').first().waitFor();
    expect(page.url()).toMatch(/[?]q=yellow&not=green&notTag=red$/);
    expect(await page.locator('.tile .tile-caption').allTextContents()).not.toContain('a red picture');
    await page.reload();
    await page.locator('.tile-score').first().waitFor();
    await page.getByRole('button', { name: 'Remove: not tag red' }).click();
    await page.locator('.tile-caption', { hasText: 'a red picture' }).waitFor();
    expect(page.url()).toMatch(/[?]q=yellow&not=green$/);
  });

  it('puts chosen images into a collection, shows only those, and changes tags', async () => {
    await page.goto(`${server.url}/?tag=cyan`);
    await page.getByLabel('Select a cyan picture').check();
    await page.getByPlaceholder('Collection').fill('seas');
    await page.getByRole('button', { name: 'Add to it' }).click();
    await page.getByText('Added to seas.').waitFor();
    await page.goto(server.url);
    await page.getByText('Narrow the search').click();
    await page.locator('#filter-collection').selectOption({ label: 'seas (1)' });
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('1 image, newest first').waitFor();
    await page.locator('.tile').first().click();
    await page.getByText('Captions and tags', { exact: true }).click();
    await page.getByLabel('Tags, one per line').fill('cyan\nsea, deep');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    await page.locator('#viewer-tags').getByRole('button', { name: 'sea, deep' }).click();
    await page.getByRole('button', { name: 'Remove: tag sea, deep' }).waitFor();
    await page.getByText('1 image, newest first').waitFor();
  });

  it('orders by when photos were taken, narrows by it, and says it', async () => {
    for (const [name, date] of [
      ['white', '2024:06:12 18:32:05'],
      ['black', '2019:01:01 08:00:00'],
    ] as const) {
      const exif = { IFD2: { DateTimeOriginal: date, OffsetTimeOriginal: '+02:00' } };
      const photo = await sharp(await colourPng(name, 8))
        .withExif(exif)
        .jpeg()
        .toBuffer();
      await server.json(
        '/images',
        formRequest({ image: new Uint8Array(photo), captions: name, tags: 'dated' }),
      );
    }
    await page.goto(`${server.url}/?tag=dated`);
    await page.getByText('2 images, newest first').waitFor();
    await page.getByText('Narrow the search').click();
    await page.getByLabel('Order').selectOption('Last taken first');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('2 images, last taken first').waitFor();
    expect(await firstCaption()).toBe('white');
    await page.getByLabel('Taken until').fill('2019-01-01');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('1 image, last taken first').waitFor();
    await page.locator('.tile').first().click();
    expect(await page.locator('#viewer-facts').textContent()).toContain(
      'taken 1 January 2019 at 08:00, UTC+02:00',
    );
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Remove: taken until 2019-01-01' }).click();
    await page.getByText('2 images, last taken first').waitFor();
  });

  it('classifies a chosen file against the labels', async () => {
    const file = join(folder, 'blue.png');
    await writeFile(file, await colourPng('blue', 3));
    await page.goto(server.url);
    await page.getByRole('tab', { name: 'Classify' }).click();
    await page.locator('#labels').fill('red, blue\ngreen');
    await page.locator('#classify-file').setInputFiles(file);
    await page.locator('.bar').nth(2).waitFor();
    expect(await page.locator('.bar span').first().textContent()).toBe('blue');
    await page.getByText('Most likely: blue').waitFor();
    page.on('dialog', (dialog) => void dialog.accept('three colours'));
    await page.getByLabel(/^Template around each label/).fill('{}\nthe {} one');
    await page.getByRole('button', { name: 'Save these labels…' }).click();
    await page.getByText('Saved as three colours.').waitFor();
    await page.locator('#labels').fill('yellow');
    await page.getByLabel('Saved labels').selectOption('three colours (3)');
    await page.getByText('Most likely: blue').waitFor();
    expect(await page.locator('#labels').inputValue()).toBe('red\nblue\ngreen');
  });

  it('says when none of the labels fits', async () => {
    const file = join(folder, 'black.png');
    await writeFile(file, await colourPng('blue', 4));
    await page.goto(`${server.url}/#classify`);
    await page.locator('#labels').fill('yellow, red');
    await page.locator('#classify-file').setInputFiles(file);
    await page.getByText('None of the labels fits.').waitFor();
    expect(await page.locator('.bar span').first().textContent()).toBe('none of the above');
    await page.getByLabel('Allow “none of the above”').uncheck();
    await page.locator('#panel-classify').getByRole('button', { name: 'Classify', exact: true }).click();
    await page.getByText('Most likely:').waitFor();
    expect(await page.locator('.bar').count()).toBe(2);
  });

  it('keeps several queries of an address when the first is changed', async () => {
    await page.goto(`${server.url}/?q=red&q=blue&q=cyan`);
    await page.getByRole('button', { name: 'Remove: and “blue”' }).waitFor();
    await page.getByLabel('What to look for').fill('green');
    await page.keyboard.press('Enter');
    await page.getByText('Best matches for “green” and “blue” and “cyan”').waitFor();
    await page.getByRole('button', { name: 'Remove: and “blue”' }).click();
    await page.getByText('Best matches for “green” and “cyan”').waitFor();
    expect(page.url()).toMatch(/[?]q=green&q=cyan$/);
  });

  it('has an address for texts that count differently, and takes each weight away again', async () => {
    await page.goto(`${server.url}/?q=red&q=blue&weight=3&weight=0.5`);
    await page.getByText('Best matches for “red” (×3) and “blue” (×0.5)').waitFor();
    expect(await firstCaption()).toBe('a red picture');
    await page.getByText('Narrow the search').click();
    await page.getByLabel('Also showing').fill('green');
    await page.getByLabel('Weight of that').fill('9');
    await page.keyboard.press('Enter');
    await page.getByText('Best matches for “red” (×3) and “blue” (×0.5) and “green” (×9)').waitFor();
    expect(await firstCaption()).toBe('a green picture');
    expect(page.url()).toMatch(/[?]q=red&q=blue&q=green&weight=3&weight=0[.]5&weight=9$/);
    await page.getByRole('button', { name: 'Remove: and “blue” (×0.5)' }).click();
    await page.getByRole('button', { name: 'Remove: “red” (×3)' }).click();
    await page.getByText('Best matches for “red” and “green” (×9)').waitFor();
    await page.reload();
    await page.getByText('Best matches for “red” and “green” (×9)').waitFor();
  });

  it('does not overwrite the change of another user unless saved a second time', async () => {
    const form = formRequest({ image: await colourPng('white', 4), tags: 'shared' });
    const [image] = (await server.json<{ items: { id: string }[] }>('/images', form)).items;
    await page.goto(`${server.url}/?tag=shared`);
    await page.locator('.tile').first().click();
    await page.getByText('Captions and tags', { exact: true }).click();
    const change = { ...jsonRequest({ captions: ['theirs'] }), method: 'PATCH' };
    await server.json(`/images/${image!.id}`, change);
    await page.getByLabel('Captions, one per line').fill('mine');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Captions now: “theirs”. Tags: “shared”.').waitFor();
    expect(complaints).toEqual([expect.stringMatching(/412/)]);
    complaints = [];
    expect(await server.json(`/images/${image!.id}`)).toMatchObject({ captions: ['theirs'] });
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    expect(await server.json(`/images/${image!.id}`)).toMatchObject({ captions: ['mine'] });
  });

  it('sends every element of a list from Swagger UI', async () => {
    const file = join(folder, 'cyan.png');
    await writeFile(file, await colourPng('cyan', 5));
    await page.goto(`${server.url}/docs`);
    const classify = await openOperation(page, 'Score candidate labels for an image');
    await classify.block.locator('input[type=file]').setInputFiles(file);
    await classify.fill('labels', ['red', 'cyan']);
    expect(await classify.execute()).toEqual([
      { label: 'cyan', score: expect.closeTo(1, 3) as number, similarity: expect.any(Number) as number },
      { label: 'red', score: expect.closeTo(0, 3) as number, similarity: expect.any(Number) as number },
    ]);

    const upload = await openOperation(page, 'Add one or more images');
    await upload.block.locator('input[type=file]').first().setInputFiles(file);
    await upload.fill('captions', ['one, with a comma', 'two']);
    await upload.fill('tags', ['first', 'second']);
    expect(await upload.execute()).toMatchObject({
      items: [{ status: 'created', captions: ['one, with a comma', 'two'], tags: ['first', 'second'] }],
    });

    const search = await openOperation(page, 'Search images by words');
    await search.fill('q', ['cyan']);
    await search.fill('tag', ['first', 'second']);
    expect(await search.execute()).toMatchObject({ total: 1, items: [{ tags: ['first', 'second'] }] });
  });

  it('fits a phone without scrolling sideways, and has Swagger UI', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${server.url}/?q=cyan`);
    await page.locator('.tile-score').first().waitFor();
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    await page.goto(`${server.url}/docs/?from=phone`);
    await page.getByText('Score candidate labels for an image').waitFor();
    expect(await page.evaluate('innerWidth')).toBe(360);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  });
});
