/**
 * The files of the web page. Other paths never reach the disk: there they would wait in the one line of four threads
 * behind files that are being written and images that are being decoded, health checks too.
 */
import { readdirSync } from 'node:fs';
import express from 'express';
import type { RequestHandler } from 'express';

/** The middleware; `folder` holds the files, which are known by the first part of their paths. */
export function pageFiles(folder: string): RequestHandler {
  const names = new Set(['', ...readdirSync(folder)]);
  const files = express.static(folder, { index: 'index.html', maxAge: 0, redirect: false });
  return (request, response, next) => {
    if (names.has(request.path.split('/')[1] ?? '')) files(request, response, next);
    else next();
  };
}
