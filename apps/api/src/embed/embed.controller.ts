/** POST /embed: the vectors themselves. */
import { Controller, HttpCode, Inject, Post } from '@nestjs/common';
import type { z } from 'zod';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ImageInput } from '../encoder/encoder.js';
import type { ModelEmbeddings } from '../encoder/model-embeddings.js';
import { filesFormLimits, imageJsonBytes, textJsonBytes } from '../http/body/limits.js';
import { RequestBody, TakesBody } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { IMAGE_PROBLEMS, checked, decodeImage } from '../http/image-input.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { Scope } from '../http/request-scope.js';
import type { RequestScope } from '../encoder/scope.js';
import { parseInput } from '../http/validation.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { embedBodySchema, embeddingsSchema } from './embed.schema.js';

@ApiTag('embed')
@Controller('embed')
export class EmbedController {
  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(200)
  @TakesBody({
    json: ({ config }) => ({
      maxBytes: Math.max(
        config.MAX_FILES * imageJsonBytes(config),
        textJsonBytes(config.MAX_TEXTS, config.MAX_TEXT_LENGTH),
      ),
      maxValues: Math.max(config.MAX_TEXTS, config.MAX_FILES) + 16,
    }),
    form: ({ config }) => filesFormLimits(config),
  })
  @ApiRoute((limits) => ({
    summary: 'Embeddings of texts or images',
    json: embedBodySchema(limits),
    form: { files: { image: { maxItems: limits.MAX_FILES } } },
    responses: { 200: { description: 'One vector for each input', schema: embeddingsSchema } },
    problems: ['overloaded', 'too_many_files', ...IMAGE_PROBLEMS],
  }))
  async embed(
    @RequestBody() body: Body,
    @Scope() scope: RequestScope,
  ): Promise<z.infer<typeof embeddingsSchema>> {
    return this.embeddings.use(async (embeddings) => {
      const vectors = await this.vectors(embeddings, body, scope);
      const { hash, embeddingSize } = embeddings.model;
      return {
        model: hash,
        dimension: embeddingSize,
        embeddings: vectors.map((vector) => Array.from(vector)),
      };
    });
  }

  private async vectors(
    embeddings: ModelEmbeddings,
    body: Body,
    scope: RequestScope,
  ): Promise<Float32Array[]> {
    const images: ImageInput[] = [];
    if (body.kind === 'form') {
      const { files } = body.form;
      if (files.length === 0)
        throw new Problem('invalid_request', 'Expected a file in the field image, found none.');
      for (const { bytes } of files) images.push(await checked(bytes, this.config));
      return imageVectors(embeddings, images, scope);
    }
    const input = parseInput(embedBodySchema(this.config), body.value);
    if ('texts' in input) return embeddings.texts(input.texts, scope);
    for (const [index, text] of input.images.entries()) {
      images.push(await decodeImage(text, `images.${index}`, this.config));
    }
    return imageVectors(embeddings, images, scope);
  }
}

async function imageVectors(
  embeddings: ModelEmbeddings,
  images: readonly ImageInput[],
  scope: RequestScope,
): Promise<Float32Array[]> {
  const results = await embeddings.images(images, scope);
  return results.map((result) => {
    if (result instanceof Problem) throw result;
    return result;
  });
}
