import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { describe, expect, it } from 'vitest';
import { refuseTakenPath } from './base-path.js';

/** With one route, /pictures/:id. */
class Pictures {
  one() {
    return {};
  }
}
Controller('pictures')(Pictures);
Get(':id')(Pictures.prototype, 'one', Object.getOwnPropertyDescriptor(Pictures.prototype, 'one')!);

class Routes {}
Module({ controllers: [Pictures] })(Routes);

describe('a prefix', () => {
  it('that begins as an address of the service does is refused, since it may have been taken off already', async () => {
    const app = await NestFactory.create<NestExpressApplication>(Routes, { logger: false });
    const check = (basePath: string) => refuseTakenPath(app, basePath, import.meta.dirname);
    for (const taken of ['/pictures', '/pictures/own', '/docs', '/base-path.ts']) {
      await expect(check(taken), taken).rejects.toThrow(`expected another path than ${taken}`);
    }
    for (const free of ['', '/clip', '/own/pictures', '/picture']) await check(free);
    await app.close();
  });
});
