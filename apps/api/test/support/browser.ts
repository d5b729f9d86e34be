/** Chromium for tests of pages, where it is installed. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

export const hasBrowser = PROGRAM !== undefined;

/** The title of a suite that needs the browser: says so where there is none. */
export const titleWithBrowser = (title: string): string =>
  hasBrowser ? title : `${title} (skipped: there is no Chromium; on Debian: apt-get install chromium)`;

/** The camera is a picture that moves, and is not asked for. */
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox', ...CAMERA] });

/** Drops files on an element of the page, or pastes them there. @param files bytes of PNG files by their names */
export async function give(
  page: Page,
  selector: string,
  how: 'drop' | 'paste',
  files: Record<string, Uint8Array>,
): Promise<void> {
  const contents = Object.entries(files).map(([name, bytes]) => [
    name,
    Buffer.from(bytes).toString('base64'),
  ]);
  await page.evaluate(`{
    const transfer = new DataTransfer();
    for (const [name, base64] of ${JSON.stringify(contents)}) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: 'image/png' }));
    }
    const details = { bubbles: true, cancelable: true };
    const event = ${how === 'drop'}
      ? new DragEvent('drop', { ...details, dataTransfer: transfer })
      : new ClipboardEvent('paste', { ...details, clipboardData: transfer });
    document.querySelector(${JSON.stringify(selector)}).dispatchEvent(event);
  }`);
}

/** What a screen reader finds on the page, in order: role and name of each node that has one. */
export async function spokenTree(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes
    .filter(({ ignored, name }) => !ignored && typeof name?.value === 'string' && name.value !== '')
    .map(({ role, name }) => `${String(role?.value)}: ${String(name?.value)}`);
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe reports about the page as it is shown now: the rule, and the elements. */
export async function axeFindings(page: Page): Promise<string[]> {
  // A dialog that opens, or a tile that is touched, is in between colours for a moment.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{
    violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
  }>('axe.run()');
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
  );
}
