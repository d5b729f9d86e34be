/** The route of images that are like one of the collection. */
import { Controller, Get, Inject, Param, Query, UseInterceptors } from '@nestjs/common';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { imageParamsSchema } from '../images/image.schema.js';
import type { ImageParams } from '../images/image.schema.js';
import { pageQuerySchema, searchResultSchema } from './search.schema.js';
import type { PageQuery } from './search.schema.js';
import { SearchService } from './search.service.js';

@ApiTag('search')
@Controller('images')
@UseInterceptors(NeedsDatabase)
export class SimilarController {
  constructor(@Inject(SearchService) private readonly search: SearchService) {}

  @Get(':id/similar')
  @ApiRoute({
    summary: 'Images that are like one of the collection',
    description: 'By the embedding that is stored: nothing is computed. The image itself is not among them.',
    params: imageParamsSchema,
    query: pageQuerySchema,
    responses: { 200: { description: 'The nearest images, best first', schema: searchResultSchema } },
    problems: ['image_not_found'],
  })
  images(
    @Param({ schema: imageParamsSchema }) { id }: ImageParams,
    @Query({ schema: pageQuerySchema }) page: PageQuery,
  ) {
    return this.search.similar(id, page);
  }
}
