/** Routes of collections: named sets of images, which a search can keep to. */
import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { Access } from '../access/scope.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { RequestBody, TakesBody, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { parseInput } from '../http/validation.js';
import { SEARCH_INDEX } from '../images/search-index.js';
import type { SearchIndex } from '../images/search-index.js';
import { Problem } from '../problems/problem.js';
import { CollectionRepository } from './collection.repository.js';
import {
  MAX_CHANGES,
  collectionChangeSchema,
  collectionListSchema,
  collectionParamsSchema,
  collectionQuerySchema,
  collectionSchema,
  newCollectionSchema,
} from './collection.schema.js';
import type { CollectionParams, CollectionQuery } from './collection.schema.js';

/** A body with the most ids, of 64 characters each, in both lists. */
const bodyLimits = () => ({ maxBytes: 2 * MAX_CHANGES * 100 + 4096, maxValues: 2 * MAX_CHANGES + 100 });

@ApiTag('collections')
@Controller('collections')
@UseInterceptors(NeedsDatabase)
export class CollectionController {
  constructor(
    @Inject(CollectionRepository) private readonly collections: CollectionRepository,
    @Inject(SEARCH_INDEX) private readonly index: SearchIndex,
  ) {}

  @Get()
  @ApiRoute({
    summary: 'The collections, by name',
    query: collectionQuerySchema,
    responses: { 200: { description: 'One page', schema: collectionListSchema } },
  })
  async list(@Query({ schema: collectionQuerySchema }) query: CollectionQuery) {
    return { ...(await this.collections.list(query)), ...query };
  }

  @Post()
  @Access('write')
  @TakesBody({ json: bodyLimits })
  @ApiRoute({
    summary: 'Make a collection',
    json: newCollectionSchema,
    responses: { 201: { description: 'It was made', schema: collectionSchema } },
    problems: ['conflict', 'image_not_found'],
  })
  async create(@RequestBody() body: Body) {
    const made = await this.collections.create(parseInput(newCollectionSchema, jsonValue(body)));
    await this.index.catchUp();
    return made;
  }

  @Get(':id')
  @ApiRoute({
    summary: 'One collection',
    params: collectionParamsSchema,
    responses: { 200: { description: 'The collection', schema: collectionSchema } },
    problems: ['collection_not_found'],
  })
  async get(@Param({ schema: collectionParamsSchema }) { id }: CollectionParams) {
    return (await this.collections.find(id)) ?? notFound(id);
  }

  @Patch(':id')
  @Access('write')
  @TakesBody({ json: bodyLimits })
  @ApiRoute({
    summary: 'Rename a collection, put images in, take images out',
    description: 'All of it happens, or nothing. Images that are in it already, or not in it, are no error.',
    params: collectionParamsSchema,
    json: collectionChangeSchema,
    responses: { 200: { description: 'The collection afterwards', schema: collectionSchema } },
    problems: ['collection_not_found', 'conflict', 'image_not_found'],
  })
  async change(
    @Param({ schema: collectionParamsSchema }) { id }: CollectionParams,
    @RequestBody() body: Body,
  ) {
    const changed = await this.collections.change(id, parseInput(collectionChangeSchema, jsonValue(body)));
    await this.index.catchUp();
    return changed ?? notFound(id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('write')
  @ApiRoute({
    summary: 'Delete a collection; its images stay',
    params: collectionParamsSchema,
    responses: { 204: { description: 'Deleted' } },
    problems: ['collection_not_found'],
  })
  async remove(@Param({ schema: collectionParamsSchema }) { id }: CollectionParams): Promise<void> {
    if (!(await this.collections.remove(id))) notFound(id);
    await this.index.catchUp();
  }
}

function notFound(id: string): never {
  throw new Problem('collection_not_found', `There is no collection with the id ${id.slice(0, 80)}.`);
}
