/** POST /embed: the vectors themselves. */
import { Controller, HttpCode, Inject, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import type { z } from 'zod';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import { decodeImage } from '../http/image-input.js';
import { MultipartInterceptor, formFiles, isForm } from '../http/multipart.js';
import { ApiRoute } from '../http/openapi.js';
import { parseInput } from '../http/validation.js';
import { inspectImage } from '../image-file/image-format.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { embedBodySchema, embeddingsSchema } from './embed.schema.js';

@Controller('embed')
export class EmbedController {
  constructor(
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(200)
  @UseInterceptors(MultipartInterceptor)
  @ApiRoute((limits) => ({
    summary: 'Embeddings of texts or images',
    tag: 'embed',
    json: embedBodySchema(limits),
    form: { files: { image: 'many' } },
    responses: { 200: { description: 'One vector for each input', schema: embeddingsSchema } },
    problems: [
      'overloaded',
      'image_too_large',
      'too_many_pixels',
      'too_many_files',
      'unsupported_image_format',
      'undecodable_image',
    ],
  }))
  async embed(@Req() request: Request): Promise<z.infer<typeof embeddingsSchema>> {
    const vectors = await this.vectors(request);
    const { hash, embeddingSize } = this.embeddings.model;
    return { model: hash, dimension: embeddingSize, embeddings: vectors.map((vector) => Array.from(vector)) };
  }

  private async vectors(request: Request): Promise<Float32Array[]> {
    if (isForm(request)) {
      const files = formFiles(request, ['image', 'images']).map(({ bytes }) => bytes);
      if (files.length === 0)
        throw new Problem('invalid_request', 'Expected a file in the field image, found none.');
      for (const bytes of files) await inspectImage(bytes, this.config);
      return this.imageVectors(files);
    }
    const body = parseInput(embedBodySchema(this.config), request.body);
    if ('texts' in body) return this.embeddings.texts(body.texts);
    const images: Buffer[] = [];
    for (const [index, text] of body.images.entries()) {
      images.push(await decodeImage(text, `images.${index}`, this.config));
    }
    return this.imageVectors(images);
  }

  private async imageVectors(images: readonly Buffer[]): Promise<Float32Array[]> {
    const results = await this.embeddings.images(images);
    return results.map((result) => {
      if (result instanceof Problem) throw result;
      return result;
    });
  }
}
