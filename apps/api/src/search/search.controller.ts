/** Routes of search: by words, by an image, by a vector. */
import { Body, Controller, Get, HttpCode, Inject, Post, Query, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import type { Config } from '../config/config.js';
import { decodeImage, formImage } from '../http/image-input.js';
import { MultipartInterceptor, isForm } from '../http/multipart.js';
import { ApiRoute } from '../http/openapi.js';
import { RequireJson } from '../http/require-json.js';
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

@Controller('search')
export class SearchController {
  constructor(
    @Inject(SearchService) private readonly search: SearchService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ApiRoute((limits) => ({
    summary: 'Search images by words',
    tag: 'search',
    query: searchQuerySchema(limits.MAX_TEXT_LENGTH),
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['page_too_deep', 'overloaded'],
  }))
  byText(@Query() query: unknown) {
    const { q, ...page } = parseInput(searchQuerySchema(this.config.MAX_TEXT_LENGTH), query);
    return this.search.byText(q, page);
  }

  @Post('image')
  @HttpCode(200)
  @UseInterceptors(MultipartInterceptor)
  @ApiRoute({
    summary: 'Search images by an image',
    tag: 'search',
    query: pageQuerySchema,
    form: { files: { image: 'one' } },
    json: imageBodySchema,
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: [
      'page_too_deep',
      'overloaded',
      'image_too_large',
      'too_many_pixels',
      'unsupported_image_format',
      'undecodable_image',
    ],
  })
  async byImage(@Req() request: Request, @Query({ schema: pageQuerySchema }) page: PageQuery) {
    const image = isForm(request)
      ? await formImage(request, this.config)
      : await decodeImage(parseInput(imageBodySchema, request.body).inputs, 'inputs', this.config);
    return this.search.byImage(image, page);
  }

  @Post('vector')
  @HttpCode(200)
  @UseInterceptors(RequireJson)
  @ApiRoute({
    summary: 'Search images by an embedding',
    tag: 'search',
    query: pageQuerySchema,
    json: vectorBodySchema,
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['page_too_deep', 'invalid_vector'],
  })
  byVector(
    @Body({ schema: vectorBodySchema }) { vector }: z.infer<typeof vectorBodySchema>,
    @Query({ schema: pageQuerySchema }) page: PageQuery,
  ) {
    return this.search.byVector(vector, page);
  }
}
