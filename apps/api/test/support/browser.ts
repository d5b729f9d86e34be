/** Chromium for tests of pages, where it is installed. */
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

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
