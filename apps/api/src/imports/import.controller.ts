/** Routes of imports from the server's disk. */
import { Controller, Get, HttpCode, Inject, Param, Post, Res, UseInterceptors } from '@nestjs/common';
import type { Response } from 'express';
import { Access } from '../access/scope.js';
import type { Config } from '../config/config.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import type { RouteDescription } from '../http/openapi-operation.js';
import { RequestBody, TakesBody, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { parseInput } from '../http/validation.js';
import { CONFIG } from '../providers.js';
import { ImportEvents } from './import.events.js';
import { importBodySchema, importListSchema, importParamsSchema, importSchema } from './import.schema.js';
import type { ImportParams } from './import.schema.js';
import { ImportService } from './import.service.js';

/** What the routes that control a job have in common. */
const control = {
  params: importParamsSchema,
  responses: { 200: { description: 'The job as it is now', schema: importSchema } },
  problems: ['import_not_found', 'import_state'],
} satisfies Partial<RouteDescription>;

@ApiTag('imports')
@Controller('imports')
@UseInterceptors(NeedsDatabase)
export class ImportController {
  constructor(
    @Inject(ImportService) private readonly imports: ImportService,
    @Inject(ImportEvents) private readonly events: ImportEvents,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @TakesBody({ json: () => ({ maxBytes: 32 * 1024, maxValues: 64 }) })
  @Access('admin')
  @ApiRoute({
    summary: 'Import a folder of images or a COCO dataset from the disk of the server',
    description:
      'Starts a job and answers at once; GET /imports/:id shows its progress. Images that are in the collection ' +
      'already are not stored again, so an import can be repeated. While a job for the same request is unfinished, it is returned.',
    json: importBodySchema,
    responses: {
      202: { description: 'The job was started', schema: importSchema },
      200: { description: 'The same import is under way', schema: importSchema },
    },
    problems: ['import_forbidden'],
  })
  async start(@RequestBody() body: Body, @Res({ passthrough: true }) response: Response) {
    const { job, created } = await this.imports.start(parseInput(importBodySchema, jsonValue(body)));
    response.status(created ? 202 : 200).setHeader('Location', `${this.config.BASE_PATH}/imports/${job.id}`);
    return job;
  }

  @Get()
  @Access('write')
  @ApiRoute({
    summary: 'The newest imports',
    responses: { 200: { description: 'Up to 100, newest first', schema: importListSchema } },
  })
  async list() {
    return { items: await this.imports.list() };
  }

  @Get(':id')
  @Access('write')
  @ApiRoute({
    summary: 'Progress of an import',
    params: importParamsSchema,
    responses: { 200: { description: 'The job', schema: importSchema } },
    problems: ['import_not_found'],
  })
  get(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.get(id);
  }

  @Get(':id/events')
  @Access('write')
  @ApiRoute({
    summary: 'Progress of an import as server-sent events',
    description:
      'An event `progress` with the job as data, first at once and then after each change; the stream ends with the job.',
    params: importParamsSchema,
    responses: { 200: { description: 'Events', content: ['text/event-stream'] } },
    problems: ['import_not_found'],
  })
  async follow(@Param({ schema: importParamsSchema }) { id }: ImportParams, @Res() response: Response) {
    await this.events.send(id, response);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @Access('admin')
  @ApiRoute({ ...control, summary: 'Pause an import' })
  pause(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.pause(id);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @Access('admin')
  @ApiRoute({ ...control, summary: 'Resume a paused import' })
  resume(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.resume(id);
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @Access('admin')
  @ApiRoute({ ...control, summary: 'Cancel an import; the images that it added stay' })
  cancel(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.cancel(id);
  }

  @Post(':id/retry')
  @HttpCode(200)
  @Access('admin')
  @ApiRoute({
    ...control,
    summary: 'Resume an import that failed or was cancelled, or run one that is done again',
  })
  retry(@Param({ schema: importParamsSchema }) { id }: ImportParams) {
    return this.imports.retry(id);
  }
}
