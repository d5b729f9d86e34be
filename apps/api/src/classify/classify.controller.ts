/** POST /classify. */
import { Controller, HttpCode, Inject, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import type { Config } from '../config/config.js';
import { filledFields } from '../http/fields.js';
import { decodeImage, formImage } from '../http/image-input.js';
import { MultipartInterceptor, isForm } from '../http/multipart.js';
import { ApiRoute } from '../http/openapi.js';
import { parseInput } from '../http/validation.js';
import { CONFIG } from '../providers.js';
import { classificationSchema, classifyBodySchema, classifyFormSchema } from './classify.schema.js';
import { ClassifyService } from './classify.service.js';

@Controller('classify')
export class ClassifyController {
  constructor(
    @Inject(ClassifyService) private readonly classifier: ClassifyService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(200)
  @UseInterceptors(MultipartInterceptor)
  @ApiRoute((limits) => ({
    summary: 'Score candidate labels for an image',
    description:
      'Without a threshold the scores add up to 1, the class that background adds included; with multi_label, and ' +
      'for SigLIP models, each label is scored by itself.',
    tag: 'classify',
    form: { fields: classifyFormSchema(limits), files: { image: 'one' } },
    json: classifyBodySchema(limits),
    responses: { 200: { description: 'Labels, best first', schema: classificationSchema } },
    problems: [
      'overloaded',
      'image_too_large',
      'too_many_pixels',
      'unsupported_image_format',
      'undecodable_image',
    ],
  }))
  async classify(@Req() request: Request) {
    const { body: raw } = request as { body: unknown };
    if (isForm(request)) {
      const parameters = parseInput(classifyFormSchema(this.config), filledFields(raw));
      return this.classifier.classify(await formImage(request, this.config), parameters);
    }
    const { inputs, parameters } = parseInput(classifyBodySchema(this.config), raw);
    const image = await decodeImage(inputs, 'inputs', this.config);
    const { candidate_labels: labels, ...rest } = parameters;
    return this.classifier.classify(image, { labels, ...rest });
  }
}
