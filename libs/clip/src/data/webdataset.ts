/**
 * Tar shards in WebDataset's layout (https://github.com/webdataset/webdataset): the members of one sample have the same
 * name up to the first dot of its last part. An image member and `txt`, `caption`, `text`, `cls` or `json` beside it.
 */
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { ClipError } from '../errors.js';
import type { ImageFormat } from '../preprocess/image-format.js';
import { byCodeUnits } from './file-index.js';
import { cleanText, imageKind, shown, unreadFormat } from './names.js';
import { tarMembers, type TarMember } from './tar-members.js';
import {
  ONLY_SPLIT,
  type Dataset,
  type DatasetImage,
  type DatasetProblem,
  type DatasetSplit,
} from './types.js';

const CAPTION_MEMBERS = ['txt', 'caption', 'text'];
/** Longest caption or description that is read, in bytes. */
const MAX_TEXT_BYTES = 1024 * 1024;
const CAPTION_FIELDS = ['caption', 'captions', 'text', 'txt', 'title'];

export const isShard = (path: string): boolean => extname(path).toLowerCase() === '.tar';

/** The shards of a folder; undefined when there are none. `train-000000.tar` belongs to the split `train`. */
export async function openShards(
  folder: string,
  formats: readonly ImageFormat[],
): Promise<Dataset | undefined> {
  const names = (await readdir(folder)).filter(isShard).sort(byCodeUnits);
  if (names.length === 0) return undefined;
  return shardDataset(
    names.map((name) => join(folder, name)),
    formats,
  );
}

/** The dataset of one shard. */
export const openShard = (path: string, formats: readonly ImageFormat[]): Dataset =>
  shardDataset([path], formats);

/** A name without the number at its end and what joins the two: `train-00012` is `train`. */
function withoutNumber(name: string): string {
  let end = name.length;
  while (end > 0 && /\d/.test(name[end - 1]!)) end--;
  while (end > 0 && '-_.'.includes(name[end - 1]!)) end--;
  return name.slice(0, end);
}

function shardDataset(paths: readonly string[], formats: readonly ImageFormat[]): Dataset {
  const bySplit = new Map<string, string[]>();
  for (const path of paths) {
    const stem = withoutNumber(basename(path, extname(path)));
    const split = stem === '' ? ONLY_SPLIT : stem;
    bySplit.set(split, [...(bySplit.get(split) ?? []), path]);
  }
  return {
    format: 'webdataset',
    splits: [...bySplit.keys()].sort(byCodeUnits),
    read: async (split) => {
      const result: DatasetSplit = { split, images: [], classes: [], problems: [] };
      for (const path of bySplit.get(split) ?? []) await readShard(path, result, formats);
      return { ...result, classes: [...new Set(result.images.flatMap(({ tags }) => tags))] };
    },
  };
}

/** Adds the samples of a shard. */
async function readShard(
  path: string,
  { images, problems }: DatasetSplit,
  formats: readonly ImageFormat[],
): Promise<void> {
  const samples = new Map<string, Map<string, TarMember>>();
  for await (const member of tarMembers(path)) {
    if (basename(member.name).startsWith('.')) continue;
    const { key, extension } = sampleKey(member.name);
    const sample = samples.get(key) ?? new Map<string, TarMember>();
    samples.set(key, sample);
    if (sample.has(extension)) {
      problems.push({
        code: 'id_repeated',
        name: `${path}#${member.name}`,
        detail: 'the shard has this member twice',
      });
    } else sample.set(extension, member);
  }
  const shard = await open(path);
  try {
    const readText = async ({ name, offset, size }: TarMember): Promise<string> => {
      if (size > MAX_TEXT_BYTES)
        throw new ClipError('DATASET_INVALID', `${path}: ${name} is too large for a text`, {
          expected: `at most ${MAX_TEXT_BYTES} bytes`,
          found: `${size}`,
        });
      const bytes = Buffer.alloc(size);
      await shard.read(bytes, 0, size, offset);
      return bytes.toString('utf8').replace(/^\uFEFF/, '');
    };
    for (const [key, members] of samples) {
      const ofKind = (kind: 'taken' | 'other') =>
        [...members.values()].find((member) => imageKind(member.name, formats) === kind);
      const image = ofKind('taken');
      const other = image === undefined ? ofKind('other') : undefined;
      const name = `${basename(path)}#${(image ?? other)?.name ?? key}`;
      if (other !== undefined) {
        problems.push({ code: 'format_unsupported', name, detail: unreadFormat(name, formats) });
        continue;
      }
      if (image === undefined) {
        problems.push({
          code: 'image_missing',
          name,
          detail: `its members are ${[...members.keys()].join(', ')}`,
        });
        continue;
      }
      const texts = await describe(members, readText, name, problems);
      if (texts.captions.length === 0)
        problems.push({
          code: 'caption_missing',
          name,
          detail: `no ${CAPTION_MEMBERS.join(', ')} or json beside it`,
        });
      const { offset, size } = image;
      images.push({ name, location: { archive: path, offset, size }, ...texts } satisfies DatasetImage);
    }
  } finally {
    await shard.close();
  }
}

/** `a/b.seg.png` → key `a/b`, extension `seg.png`. */
function sampleKey(name: string): { key: string; extension: string } {
  const folder = dirname(name);
  const file = basename(name);
  const dot = file.indexOf('.');
  const stem = dot === -1 ? file : file.slice(0, dot);
  return {
    key: folder === '.' ? stem : `${folder}/${stem}`,
    extension: dot === -1 ? '' : file.slice(dot + 1).toLowerCase(),
  };
}

async function describe(
  members: ReadonlyMap<string, TarMember>,
  readText: (member: TarMember) => Promise<string>,
  name: string,
  problems: DatasetProblem[],
): Promise<{ captions: string[]; tags: string[] }> {
  const captions: string[] = [];
  const tags: string[] = [];
  const add = (list: string[], value: unknown) => {
    const text = cleanText(value);
    if (text !== undefined) list.push(text);
    else problems.push({ code: 'caption_invalid', name, detail: `found ${shown(value)}` });
  };
  for (const extension of CAPTION_MEMBERS) {
    const member = members.get(extension);
    if (member !== undefined) add(captions, await readText(member));
  }
  const description = members.get('json');
  if (description !== undefined) {
    const fields = parseObject(await readText(description));
    if (fields === undefined)
      problems.push({ code: 'caption_invalid', name, detail: 'its json member is not an object' });
    else if (captions.length === 0) {
      const values = CAPTION_FIELDS.flatMap((field) => fields[field] ?? []);
      for (const value of values) add(captions, value);
    }
  }
  const label = members.get('cls');
  if (label !== undefined) add(tags, await readText(label));
  return { captions, tags };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
