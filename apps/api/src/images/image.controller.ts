/** Routes of the collection's images. */
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
  Req,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { AccessGuard } from '../access/access.guard.js';
import { Access } from '../access/scope.js';
import type { Config } from '../config/config.js';
import { filledFields } from '../http/fields.js';
import { filesFormLimits } from '../http/body/limits.js';
import { RequestBody, TakesBody, formOf, jsonValue } from '../http/body/request-body.js';
import type { Body } from '../http/body/request-body.js';
import { NeedsDatabase } from '../database/needs-database.interceptor.js';
import { IMAGE_PROBLEMS } from '../http/image-input.js';
import { ApiRoute, ApiTag } from '../http/openapi.js';
import { Scope } from '../http/request-scope.js';
import type { RequestScope } from '../encoder/scope.js';
import { parseInput } from '../http/validation.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { IMAGE_MEDIA_TYPES } from '../image-file/image-format.js';
import {
  MAX_LIST,
  changeBodySchema,
  fileQuerySchema,
  imageListSchema,
  imageParamsSchema,
  imageSchema,
  listQuerySchema,
  uploadFieldsSchema,
  uploadResultSchema,
} from './image.schema.js';
import type { FileQuery, ImageParams, ListQuery } from './image.schema.js';
import { ImageIntake } from './image-intake.js';
import { ImageService } from './image.service.js';
import { fileGone } from './image.view.js';
import { sendParts } from './served-file.js';

@ApiTag('images')
@Controller('images')
@UseInterceptors(NeedsDatabase)
export class ImageController {
  constructor(
    @Inject(ImageService) private readonly images: ImageService,
    @Inject(ImageIntake) private readonly intake: ImageIntake,
    @Inject(AccessGuard) private readonly access: AccessGuard,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @Access('write')
  @TakesBody({
    form: ({ config }) => ({
      ...filesFormLimits(config),
      fields: ['captions', 'tags', 'onDuplicate'],
      maxFields: 2 * MAX_LIST + 1,
    }),
  })
  @ApiRoute(({ MAX_FILES }) => ({
    summary: 'Add one or more images',
    description:
      'All are stored or none. Bytes that are in the collection already are not stored again: status `duplicate`; ' +
      'captions and tags that the image lacks are added to it, up to 100 of each, and `merged` says which; ' +
      'with `onDuplicate` they stay as they are, or are replaced. ' +
      '201 when at least one was new, 200 when all were there.',
    form: { fields: uploadFieldsSchema, files: { image: { maxItems: MAX_FILES } } },
    responses: {
      201: { description: 'At least one image was new', schema: uploadResultSchema },
      200: { description: 'All were stored already', schema: uploadResultSchema },
    },
    problems: [
      ...IMAGE_PROBLEMS,
      'too_many_files',
      'overloaded',
      'conflict',
      'storage_full',
      'storage_unavailable',
    ],
  }))
  async upload(
    @RequestBody() body: Body,
    @Scope() scope: RequestScope,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { files, values } = formOf(body);
    const fields = parseInput(uploadFieldsSchema, filledFields(values));
    if (files.length === 0) {
      throw new Problem('invalid_request', 'Expected at least one file in the field image, found none.', {
        errors: [{ field: 'image', detail: 'expected at least one file' }],
      });
    }
    const items = await this.intake.upload(files, fields, scope);
    response.status(items.some(({ status }) => status === 'created') ? 201 : 200);
    return { items };
  }

  @Get()
  @ApiRoute({
    summary: 'List the images, all or some, by when they were added or taken',
    query: listQuerySchema,
    responses: { 200: { description: 'One page', schema: imageListSchema } },
  })
  async list(@Query({ schema: listQuerySchema }) query: ListQuery) {
    const { limit, offset } = query;
    return { ...(await this.images.list(query)), limit, offset };
  }

  @Get(':id')
  @ApiRoute({
    summary: 'One image',
    params: imageParamsSchema,
    responses: { 200: { description: 'The image', schema: imageSchema } },
    problems: ['image_not_found'],
  })
  get(@Param({ schema: imageParamsSchema }) { id }: ImageParams) {
    return this.images.get(id);
  }

  @Patch(':id')
  @Access('write')
  @TakesBody({ json: () => ({ maxBytes: 2 * MAX_LIST * 6200, maxValues: 2 * MAX_LIST + 16 }) })
  @ApiRoute({
    summary: 'Replace captions or tags of an image',
    description:
      'What is left out stays. With `If-Match: "<revision>"` only if the image still has that revision, which GET gives ' +
      'as `revision`: 412 otherwise.',
    params: imageParamsSchema,
    json: changeBodySchema,
    responses: { 200: { description: 'The image as it is now', schema: imageSchema } },
    problems: ['image_not_found', 'precondition_failed'],
  })
  change(
    @Param({ schema: imageParamsSchema }) { id }: ImageParams,
    @RequestBody() body: Body,
    @Req() request: Request,
  ) {
    return this.images.change(id, parseInput(changeBodySchema, jsonValue(body)), expectedRevision(request));
  }

  @Get(':id/file')
  @ApiRoute({
    summary: 'The file',
    description:
      'Without GPS, camera data, XMP, IPTC, comments and embedded thumbnails; the pixels are those that came. ' +
      '`original=true` gives the bytes as they came; where the service has keys, that needs one with the scope admin.',
    params: imageParamsSchema,
    query: fileQuerySchema,
    responses: {
      200: { description: 'The file', content: IMAGE_MEDIA_TYPES },
      206: { description: 'The range that was asked for', content: IMAGE_MEDIA_TYPES },
    },
    problems: ['image_not_found', 'insufficient_scope', 'precondition_failed'],
  })
  async file(
    @Param({ schema: imageParamsSchema }) { id }: ImageParams,
    @Query({ schema: fileQuerySchema }) { original }: FileQuery,
    @Req() request: Request,
    @Res() response: Response,
  ) {
    const isStripped = this.config.STRIP_METADATA && !original;
    if (this.config.STRIP_METADATA && original) this.access.demand(request, 'admin');
    if (!isStripped) {
      const { path, mediaType, fileName } = await this.images.file(id);
      setFileName(response, fileName);
      await sendFile(response, path, mediaType, id);
      return;
    }
    const { tag, mediaType, fileName, ...file } = await this.images.strippedFile(id);
    setFileName(response, fileName);
    setContent(response, mediaType, tag);
    await sendParts(request, response, file);
  }

  @Get(':id/thumbnail')
  @ApiRoute({
    summary: 'A small version, WebP, at most 320 × 320 pixels',
    params: imageParamsSchema,
    responses: { 200: { description: 'The thumbnail', content: ['image/webp'] } },
    problems: ['image_not_found', 'precondition_failed'],
  })
  async thumbnail(@Param({ schema: imageParamsSchema }) { id }: ImageParams, @Res() response: Response) {
    await sendFile(response, await this.images.thumbnail(id), 'image/webp', `${id}-thumbnail`);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access('write')
  @ApiRoute({
    summary: 'Remove an image',
    params: imageParamsSchema,
    responses: { 204: { description: 'Removed' } },
    problems: ['image_not_found'],
  })
  async remove(@Param({ schema: imageParamsSchema }) { id }: ImageParams): Promise<void> {
    await this.images.remove(id);
  }
}

/** The revision in `If-Match`, or undefined without one. */
function expectedRevision(request: Request): number | undefined {
  const header = request.headers['if-match'];
  if (header === undefined || header === '*') return undefined;
  const revision = /^"(\d{1,10})"$/.exec(header)?.[1];
  if (revision === undefined) {
    throw new Problem('invalid_request', 'Expected If-Match with a revision in quotes, such as "12", or *.');
  }
  return Number(revision);
}

/** The bytes behind an id never change, so a client may keep them for good. */
function setContent(response: Response, mediaType: string, tag: string): void {
  response.setHeader('Content-Type', mediaType);
  response.setHeader('Cache-Control', 'private, max-age=31536000, immutable');
  response.setHeader('ETag', `"${tag}"`);
}

function setFileName(response: Response, fileName: string | null): void {
  if (fileName === null) return;
  response.setHeader('Content-Disposition', `inline; filename*=UTF-8''${encodeURIComponent(fileName)}`);
}

function sendFile(response: Response, path: string, mediaType: string, tag: string): Promise<void> {
  setContent(response, mediaType, tag);
  return new Promise((resolve, reject) => {
    response.sendFile(path, { cacheControl: false, etag: false, dotfiles: 'allow' }, (error?: Error) => {
      if (error === undefined || response.destroyed) resolve();
      else if ('code' in error && error.code === 'ENOENT') {
        response.removeHeader('Cache-Control');
        response.removeHeader('ETag');
        reject(fileGone());
      } else reject(error);
    });
  });
}
