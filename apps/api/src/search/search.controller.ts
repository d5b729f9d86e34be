/** Routes of search: by words, by an image, by a vector. */
import { Controller, Get, HttpCode, Inject, Post, Query, UseInterceptors } from '@nestjs/common';
import type { Config } from '../config/config.js';
import { imageFormLimits, imageJsonBytes, vectorJsonLimits } from '../http/body/limits.js';
import { RequestBody, TakesBody, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { IMAGE_PROBLEMS, decodeImage, formImage } from '../http/image-input.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { Scope } from '../http/request-scope.js';
import type { RequestScope } from '../encoder/scope.js';
import { parseInput } from '../http/validation.js';
import { CONFIG } from '../providers.js';
import {
  imageBodySchema,
  pageQuerySchema,
  searchQuerySchema,
  searchResultSchema,
  vectorBodySchema,
} from './search.schema.js';
import type { PageQuery } from './search.schema.js';
import { SearchService } from './search.service.js';

@ApiTag('search')
@Controller('search')
@UseInterceptors(NeedsDatabase)
export class SearchController {
  constructor(
    @Inject(SearchService) private readonly search: SearchService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ApiRoute((limits) => ({
    summary: 'Search images by words',
    description:
      'Several texts become one query: the mean of the embeddings of all `q` by their `weight`, less half the mean of ' +
      'those of all `not`, scaled to length 1. Scores are cosines with that.',
    query: searchQuerySchema(limits.MAX_TEXT_LENGTH),
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['overloaded'],
  }))
  byText(@Query() query: unknown, @Scope() scope: RequestScope) {
    const { q, weight, not, ...page } = parseInput(searchQuerySchema(this.config.MAX_TEXT_LENGTH), query);
    return this.search.byTexts({ q, weight, not }, page, scope);
  }

  @Post('image')
  @HttpCode(200)
  @TakesBody({
    json: ({ config }) => ({ maxBytes: imageJsonBytes(config), maxValues: 16 }),
    form: ({ config }) => imageFormLimits(config),
  })
  @ApiRoute({
    summary: 'Search images by an image',
    query: pageQuerySchema,
    form: { files: { image: 'one' } },
    json: imageBodySchema,
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['overloaded', ...IMAGE_PROBLEMS],
  })
  async byImage(
    @RequestBody() body: Body,
    @Query({ schema: pageQuerySchema }) page: PageQuery,
    @Scope() scope: RequestScope,
  ) {
    const image =
      body.kind === 'form'
        ? await formImage(body.form, this.config)
        : await decodeImage(parseInput(imageBodySchema, body.value).inputs, 'inputs', this.config);
    return this.search.byImage(image, page, scope);
  }

  @Post('vector')
  @HttpCode(200)
  @TakesBody({ json: ({ model }) => vectorJsonLimits(model.embeddingSize) })
  @ApiRoute({
    summary: 'Search images by an embedding',
    query: pageQuerySchema,
    json: vectorBodySchema,
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['invalid_vector'],
  })
  byVector(@RequestBody() body: Body, @Query({ schema: pageQuerySchema }) page: PageQuery) {
    const { vector, model } = parseInput(vectorBodySchema, jsonValue(body));
    return this.search.byVector(vector, page, model);
  }
}
