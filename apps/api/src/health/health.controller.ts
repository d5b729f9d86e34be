/** Liveness, readiness, metrics, and the catalogue of problems. */
import { Controller, Get, Header, Inject, Param, Res, UseInterceptors } from '@nestjs/common';
import type { Response } from 'express';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { EmbeddingService } from '../encoder/embedding.service.js';
import { Access } from '../access/scope.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { ImageRepository } from '../images/image.repository.js';
import { BuilderService } from '../generations/builder.service.js';
import { PROBLEMS, isProblemCode } from '../problems/catalogue.js';
import { Problem } from '../problems/problem.js';
import { METRICS } from '../providers.js';
import { IndexService } from '../vector-index/index.service.js';

const readySchema = z
  .object({
    status: z.literal('ready'),
    model: z.object({ hash: z.string(), name: z.string(), embeddingSize: z.int() }),
    images: z.int(),
    index: z.object({ kind: z.enum(['exact', 'hnsw']).nullable(), images: z.int() }),
    toReembed: z.int().describe('Images that a model still has to encode; GET /models says which'),
  })
  .meta({ id: 'Ready' });

const problemEntrySchema = z
  .object({ code: z.string(), status: z.int(), title: z.string() })
  .meta({ id: 'ProblemEntry' });

@ApiTag('service')
@Controller()
export class HealthController {
  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(IndexService) private readonly index: IndexService,
    @Inject(BuilderService) private readonly builder: BuilderService,
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(METRICS) private readonly metrics: Registry,
  ) {}

  @Get('healthz')
  @Access('open')
  @ApiRoute({
    summary: 'Whether the process answers',
    responses: { 200: { description: 'It does', schema: z.object({ status: z.literal('ok') }) } },
  })
  @Header('Cache-Control', 'no-store')
  healthz() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Access('open')
  @UseInterceptors(NeedsDatabase)
  @ApiRoute({
    summary: 'Whether every route can answer',
    responses: { 200: { description: 'Ready', schema: readySchema } },
    problems: ['database_unavailable'],
  })
  @Header('Cache-Control', 'no-store')
  async readyz(): Promise<z.infer<typeof readySchema>> {
    const reason = this.index.notReady;
    if (reason !== undefined) {
      throw new Problem('not_ready', `Not ready: ${reason}.`, { retryAfter: 1 });
    }
    const { hash, name, embeddingSize } = this.embeddings.model;
    return {
      status: 'ready',
      model: { hash, name, embeddingSize },
      images: await this.images.count(),
      index: this.index.status,
      toReembed: this.builder.remaining,
    };
  }

  @Get('metrics')
  @ApiRoute({
    summary: 'Metrics in the Prometheus text format',
    responses: { 200: { description: 'The metrics', content: ['text/plain'] } },
  })
  async prometheus(@Res() response: Response): Promise<void> {
    response.setHeader('Content-Type', this.metrics.contentType);
    response.setHeader('Cache-Control', 'no-store');
    response.end(await this.metrics.metrics());
  }

  @Get('problems')
  @ApiRoute({
    summary: 'Every error code with its status and meaning',
    responses: { 200: { description: 'The catalogue', schema: z.array(problemEntrySchema) } },
  })
  problems(): z.infer<typeof problemEntrySchema>[] {
    return Object.entries(PROBLEMS).map(([code, entry]) => ({ code, ...entry }));
  }

  @Get('problems/:code')
  @ApiRoute({
    summary: 'One error code',
    params: z.object({ code: z.string() }),
    responses: { 200: { description: 'Its entry', schema: problemEntrySchema } },
    problems: ['problem_not_found'],
  })
  problem(@Param('code') code: string): z.infer<typeof problemEntrySchema> {
    if (!isProblemCode(code)) throw new Problem('problem_not_found', 'GET /problems lists the codes.');
    return { code, ...PROBLEMS[code] };
  }
}
