/** POST /classify. */
import { Controller, HttpCode, Inject, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { Config } from '../config/config.js';
import { filledFields } from '../http/fields.js';
import { imageFormLimits, imageJsonBytes, textJsonBytes } from '../http/body/limits.js';
import { RequestBody, TakesBody } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { IMAGE_PROBLEMS, decodeImage, formImage } from '../http/image-input.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { Scope } from '../http/request-scope.js';
import type { RequestScope } from '../encoder/scope.js';
import { parseInput } from '../http/validation.js';
import { CONFIG } from '../providers.js';
import type { ImageInput } from '../encoder/encoder.js';
import { MODEL_HEADER } from '../http/model-header.js';
import { classificationSchema, classifyBodySchema, classifyFormSchema } from './classify.schema.js';
import type { ClassifyParameters } from './classify.schema.js';
import { ClassifyService } from './classify.service.js';

/** Values of a body beside its labels, with room to spare. */
const FURTHER_VALUES = 192;

@ApiTag('classify')
@Controller('classify')
export class ClassifyController {
  constructor(
    @Inject(ClassifyService) private readonly classifier: ClassifyService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(200)
  @TakesBody({
    json: ({ config }) => ({
      maxBytes: imageJsonBytes(config) + textJsonBytes(config.MAX_LABELS, config.MAX_TEXT_LENGTH),
      maxValues: config.MAX_LABELS + FURTHER_VALUES,
    }),
    form: ({ config }) => ({
      ...imageFormLimits(config),
      maxBytes: imageJsonBytes(config) + textJsonBytes(config.MAX_LABELS, config.MAX_TEXT_LENGTH),
      fields: Object.keys(classifyFormSchema(config).shape),
      maxFields: config.MAX_LABELS + FURTHER_VALUES,
    }),
  })
  @ApiRoute((limits) => ({
    summary: 'Score candidate labels for an image',
    description:
      'Without a threshold the scores add up to 1, the class that background adds included; with multi_label, and ' +
      'for SigLIP models, each label is scored by itself. The header X-Model has the hash of the model.',
    form: { fields: classifyFormSchema(limits), files: { image: 'one' } },
    json: classifyBodySchema(limits),
    responses: { 200: { description: 'Labels, best first', schema: classificationSchema } },
    problems: ['label_set_not_found', 'database_unavailable', 'overloaded', ...IMAGE_PROBLEMS],
  }))
  async classify(
    @RequestBody() body: Body,
    @Scope() scope: RequestScope,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { image, parameters } = await this.read(body);
    const { model, labels } = await this.classifier.classify(image, parameters, scope);
    response.setHeader(MODEL_HEADER, model);
    return labels;
  }

  private async read(body: Body): Promise<{ image: ImageInput; parameters: ClassifyParameters }> {
    if (body.kind === 'form') {
      const parameters = parseInput(classifyFormSchema(this.config), filledFields(body.form.values));
      return { image: await formImage(body.form, this.config), parameters };
    }
    const { inputs, parameters } = parseInput(classifyBodySchema(this.config), body.value);
    const image = await decodeImage(inputs, 'inputs', this.config);
    const { candidate_labels: labels, ...rest } = parameters;
    return { image, parameters: { labels, ...rest } };
  }
}
