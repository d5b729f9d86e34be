/** Routes of the demo: the model that answers, for a page that runs it in the visitor's browser. */
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Controller, Get, Header, Inject, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { CONFIG_FILE, MODEL_CARD_FILE, encoderFiles, encoderPrecision } from '@clip-ts/clip';
import { AccessGuard } from '../access/access.guard.js';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import { GenerationService, unknownModel } from '../generations/generation.service.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { sendParts } from '../images/served-file.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { demoFileParamsSchema, demoModelSchema } from './demo.schema.js';
import type { DemoFileParams, DemoModel } from './demo.schema.js';

const MEDIA_TYPES: Record<string, string> = {
  '.json': 'application/json',
  '.onnx': 'application/octet-stream',
};

const file = {
  summary: 'A file of a model',
  description:
    'Only the files that running the model needs, not the training weights. Needs the scope that DEMO names.',
  params: demoFileParamsSchema,
  responses: {
    200: { description: 'The file', content: ['application/json', 'application/octet-stream'] },
    206: { description: 'The range that was asked for', content: ['application/octet-stream'] },
  },
  problems: ['demo_off', 'model_not_found', 'insufficient_scope', 'precondition_failed'],
} as const;

@ApiTag('demo')
@Controller('demo')
export class DemoController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(AccessGuard) private readonly access: AccessGuard,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(GenerationService) private readonly generations: GenerationService,
  ) {}

  @Get('model')
  @Header('Cache-Control', 'no-store')
  @ApiRoute({
    summary: 'The model that answers, as a browser loads it',
    description: 'Needs the scope that DEMO names.',
    responses: { 200: { description: 'The model', schema: demoModelSchema } },
    problems: ['demo_off', 'insufficient_scope'],
  })
  async model(@Req() request: Request): Promise<DemoModel> {
    this.demand(request);
    const { hash, name, logitScale, logitBias, labelCalibration } = this.embeddings.model;
    const folder = await this.folder(hash);
    const files = await this.files(folder);
    const sizes = await Promise.all(files.map(async (path) => (await stat(join(folder, path))).size));
    return {
      hash,
      name,
      precision: await encoderPrecision(folder, this.config.PRECISION),
      files,
      bytes: sizes.reduce((total, size) => total + size, 0),
      scoring: { logitScale, logitBias, labelCalibration },
      hub: this.config.DEMO_HUB,
    };
  }

  @Get('files/:hash/:name')
  @ApiRoute(file)
  async settings(
    @Param({ schema: demoFileParamsSchema }) { hash, name }: DemoFileParams,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.send(request, response, hash, name);
  }

  @Get('files/:hash/onnx/:name')
  @ApiRoute(file)
  async onnx(
    @Param({ schema: demoFileParamsSchema }) { hash, name }: DemoFileParams,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.send(request, response, hash, `onnx/${name}`);
  }

  /** @param name is looked up in the list of files, never joined to a path before */
  private async send(request: Request, response: Response, hash: string, name: string): Promise<void> {
    this.demand(request);
    const folder = await this.folder(hash);
    if (!(await this.files(folder)).includes(name)) throw unknownFile(name);
    const path = join(folder, name);
    const { size, mtimeMs } = await stat(path);
    // The hash identifies the contents of all files but config.json.
    const isHashed = name !== CONFIG_FILE;
    response.setHeader(
      'Cache-Control',
      isHashed ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    );
    response.setHeader('ETag', `"${isHashed ? `${hash}/${name}` : `${size}-${mtimeMs}`}"`);
    response.setHeader('Content-Type', MEDIA_TYPES[extname(name)] ?? 'application/octet-stream');
    await sendParts(request, response, { path, parts: [{ start: 0, end: size }] });
  }

  private demand(request: Request): void {
    const { DEMO } = this.config;
    if (DEMO === 'off') throw new Problem('demo_off', 'The setting DEMO of the service turns it off.');
    this.access.demand(request, DEMO);
  }

  private async folder(hash: string): Promise<string> {
    const folder = await this.generations.folder(hash);
    if (folder === undefined) throw unknownModel(hash);
    return folder;
  }

  private async files(folder: string): Promise<string[]> {
    const names = await encoderFiles(folder, this.config.PRECISION);
    return names.filter((name) => name !== MODEL_CARD_FILE);
  }
}

const unknownFile = (name: string) =>
  new Problem(
    'model_not_found',
    `The model has no file ${name.slice(0, 80)}; GET /demo/model lists its files.`,
  );
