import type { Request, Response } from 'express';
import { describe, expect, it, vi } from 'vitest';
import { pageFiles } from './page-files.js';

describe('the files of the page', () => {
  it('are not looked for under other paths, which would wait for the disk', () => {
    const files = pageFiles(import.meta.dirname);
    for (const path of ['/healthz', '/images/1/file', '/docs']) {
      const next = vi.fn();
      void files({ path, method: 'GET' } as Request, {} as Response, next);
      expect(next, path).toHaveBeenCalledOnce();
    }
  });
});
