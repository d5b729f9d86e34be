/** Routes of the models that have encoded the collection. */
import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Res, UseInterceptors } from '@nestjs/common';
import type { Response } from 'express';
import { Access } from '../access/scope.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { EmbeddingRepository } from '../images/embedding.repository.js';
import { BuilderService } from './builder.service.js';
import {
  activationSchema,
  generationCardSchema,
  generationListSchema,
  generationParamsSchema,
} from './generation.schema.js';
import type { GenerationParams, GenerationView } from './generation.schema.js';
import { GenerationService, unknownModel } from './generation.service.js';

@ApiTag('models')
@Controller('models')
@UseInterceptors(NeedsDatabase)
export class GenerationController {
  constructor(
    @Inject(GenerationService) private readonly generations: GenerationService,
    @Inject(BuilderService) private readonly builder: BuilderService,
    @Inject(EmbeddingRepository) private readonly embeddings: EmbeddingRepository,
  ) {}

  @Get()
  @ApiRoute({
    summary: 'The models that have encoded the collection, oldest first',
    description:
      'One of them answers. When another checkpoint is served, its model is built beside it and takes over.',
    responses: { 200: { description: 'All of them', schema: generationListSchema } },
  })
  async list(): Promise<{ items: GenerationView[]; images: number }> {
    const [states, { images, byModel }] = await Promise.all([
      this.generations.list(),
      this.embeddings.counts(),
    ]);
    const items = states.map(({ model, state, isCheckpoint, isAvailable, createdAt, completedAt }) => {
      const encoded = byModel.get(model.hash) ?? 0;
      return {
        ...model,
        state,
        images: encoded,
        missing: Math.max(0, images - encoded),
        checkpoint: isCheckpoint,
        available: isAvailable,
        problem: this.builder.trouble(model.hash),
        createdAt: createdAt.toISOString(),
        completedAt: completedAt?.toISOString() ?? null,
      };
    });
    return { items, images };
  }

  @Get(':hash')
  @ApiRoute({
    summary: 'One model, with its card',
    params: generationParamsSchema,
    responses: { 200: { description: 'The model', schema: generationCardSchema } },
    problems: ['model_not_found'],
  })
  async get(@Param({ schema: generationParamsSchema }) { hash }: GenerationParams) {
    const found = (await this.list()).items.find((item) => item.hash === hash);
    if (found === undefined) throw unknownModel(hash);
    return { ...found, card: await this.generations.card(hash) };
  }

  @Post(':hash/activate')
  @Access('admin')
  @ApiRoute({
    summary: 'Activate another model',
    description:
      'At once when it was complete before: images that came since are encoded in the background. Else it is built ' +
      'first, and the current model answers until then.',
    params: generationParamsSchema,
    responses: {
      200: { description: 'It answers', schema: activationSchema },
      202: { description: 'It is being built', schema: activationSchema },
    },
    problems: ['model_not_found', 'model_unavailable'],
  })
  async activate(
    @Param({ schema: generationParamsSchema }) { hash }: GenerationParams,
    @Res({ passthrough: true }) response: Response,
  ) {
    const answers = await this.generations.activate(hash);
    this.builder.wake();
    response.status(answers ? 200 : 202);
    return { hash, state: answers ? 'active' : 'building' };
  }

  @Delete(':hash')
  @HttpCode(204)
  @Access('admin')
  @ApiRoute({
    summary: 'Remove the embeddings of a model, or cancel its build',
    description: 'Its files in the data folder go too. The model that answers cannot be removed.',
    params: generationParamsSchema,
    responses: { 204: { description: 'They are removed in the background' } },
    problems: ['model_not_found', 'model_in_use'],
  })
  async remove(@Param({ schema: generationParamsSchema }) { hash }: GenerationParams): Promise<void> {
    await this.generations.discard(hash);
    this.builder.wake();
  }
}
