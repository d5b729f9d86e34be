/** Routes of label sets: labels with templates under a name, which POST /classify takes instead of labels. */
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
import type { Config } from '../config/config.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { textJsonBytes } from '../http/body/limits.js';
import { RequestBody, TakesBody, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { parseInput } from '../http/validation.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { LabelSetRepository } from './label-set.repository.js';
import {
  labelSetChangeSchema,
  labelSetListSchema,
  labelSetParamsSchema,
  labelSetQuerySchema,
  labelSetSchema,
  newLabelSetSchema,
  setProblem,
} from './label-set.schema.js';
import type { LabelSetParams, LabelSetQuery } from './label-set.schema.js';
import { MAX_TEMPLATES } from './prompts.js';

const bodyLimits = ({ config }: { config: Config }) => ({
  maxBytes: textJsonBytes(config.MAX_LABELS + MAX_TEMPLATES, config.MAX_TEXT_LENGTH),
  maxValues: config.MAX_LABELS + MAX_TEMPLATES + 64,
});

@ApiTag('label sets')
@Controller('label-sets')
@UseInterceptors(NeedsDatabase)
export class LabelSetController {
  constructor(
    @Inject(LabelSetRepository) private readonly sets: LabelSetRepository,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ApiRoute({
    summary: 'The label sets, by name, without their labels',
    query: labelSetQuerySchema,
    responses: { 200: { description: 'One page', schema: labelSetListSchema } },
  })
  async list(@Query({ schema: labelSetQuerySchema }) query: LabelSetQuery) {
    return { ...(await this.sets.list(query)), ...query };
  }

  @Post()
  @Access('write')
  @TakesBody({ json: bodyLimits })
  @ApiRoute((limits) => ({
    summary: 'Save labels under a name',
    description: 'POST /classify takes the name as `label_set` instead of labels.',
    json: newLabelSetSchema(limits),
    responses: { 201: { description: 'It was saved', schema: labelSetSchema } },
    problems: ['conflict'],
  }))
  create(@RequestBody() body: Body) {
    return this.sets.create(parseInput(newLabelSetSchema(this.config), jsonValue(body)));
  }

  @Get(':id')
  @ApiRoute({
    summary: 'One label set',
    params: labelSetParamsSchema,
    responses: { 200: { description: 'The set', schema: labelSetSchema } },
    problems: ['label_set_not_found'],
  })
  async get(@Param({ schema: labelSetParamsSchema }) { id }: LabelSetParams) {
    return (await this.sets.find(id)) ?? notFound(id);
  }

  @Patch(':id')
  @Access('write')
  @TakesBody({ json: bodyLimits })
  @ApiRoute((limits) => ({
    summary: 'Rename a label set, or replace its labels or templates',
    description: 'What is left out stays.',
    params: labelSetParamsSchema,
    json: labelSetChangeSchema(limits),
    responses: { 200: { description: 'The set afterwards', schema: labelSetSchema } },
    problems: ['label_set_not_found', 'conflict'],
  }))
  async change(@Param({ schema: labelSetParamsSchema }) { id }: LabelSetParams, @RequestBody() body: Body) {
    const change = parseInput(labelSetChangeSchema(this.config), jsonValue(body));
    const changed = await this.sets.change(id, change, (set) => {
      const detail = setProblem(set, this.config);
      if (detail === undefined) return;
      throw new Problem('invalid_request', `templates: ${detail}`, {
        errors: [{ field: 'templates', detail }],
      });
    });
    return changed ?? notFound(id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('write')
  @ApiRoute({
    summary: 'Delete a label set',
    params: labelSetParamsSchema,
    responses: { 204: { description: 'Deleted' } },
    problems: ['label_set_not_found'],
  })
  async remove(@Param({ schema: labelSetParamsSchema }) { id }: LabelSetParams): Promise<void> {
    if (!(await this.sets.remove(id))) notFound(id);
  }
}

function notFound(id: string): never {
  throw new Problem('label_set_not_found', `There is no label set with the id ${id.slice(0, 80)}.`);
}
