/** Routes of imports from the server's disk. */
import { Controller, Get, Inject, Param, Post, Res, UseInterceptors } from '@nestjs/common';
import type { Response } from 'express';
import { Access } from '../access/scope.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute } from '../http/openapi.js';
import { RequestBody, TakesBody, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { parseInput } from '../http/validation.js';
import { importBodySchema, importListSchema, importParamsSchema, importSchema } from './import.schema.js';
import type { ImportParams } from './import.schema.js';
import { ImportService } from './import.service.js';

@Controller('imports')
@UseInterceptors(NeedsDatabase)
export class ImportController {
  constructor(@Inject(ImportService) private readonly imports: ImportService) {}

  @Post()
  @TakesBody({ json: () => ({ maxBytes: 32 * 1024, maxValues: 64 }) })
  @Access('admin')
  @ApiRoute({
    summary: 'Import a folder of images or a COCO dataset from the disk of the server',
    description:
      'Starts a job and answers at once; GET /imports/:id shows its progress. Images that are in the collection ' +
      'already are skipped, so an import can be repeated. While a job for the same request is unfinished, it is returned.',
    tag: 'imports',
    needsDatabase: true,
    json: importBodySchema,
    responses: {
      202: { description: 'The job was started', schema: importSchema },
      200: { description: 'The same import is under way', schema: importSchema },
    },
    problems: ['import_forbidden'],
  })
  async start(@RequestBody() body: Body, @Res({ passthrough: true }) response: Response) {
    const { job, created } = await this.imports.start(parseInput(importBodySchema, jsonValue(body)));
    response.status(created ? 202 : 200).setHeader('Location', `/imports/${job.id}`);
    return job;
  }

  @Get()
  @Access('write')
  @ApiRoute({
    summary: 'The newest imports',
    tag: 'imports',
    needsDatabase: true,
    responses: { 200: { description: 'Up to 100, newest first', schema: importListSchema } },
  })
  async list() {
    return { items: await this.imports.list() };
  }

  @Get(':id')
  @Access('write')
  @ApiRoute({
    summary: 'Progress of an import',
    tag: 'imports',
    needsDatabase: true,
    params: importParamsSchema,
    responses: { 200: { description: 'The job', schema: importSchema } },
    problems: ['import_not_found'],
  })
  get(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.get(id);
  }
}
