/**
 * Tables of image and captions: CSV and TSV with a header line, or JSON Lines. Column names are those in common use
 * (Hugging Face's metadata.csv and metadata.jsonl among them).
 */
import { createReadStream } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse as parseCsv } from 'csv-parse';
import { ClipError } from '../errors.js';
import { byCodeUnits, FileIndex } from './file-index.js';
import { locateImages } from './locate-images.js';
import { cleanText, shown } from './names.js';
import { ONLY_SPLIT, type Dataset, type DatasetProblem, type DatasetSplit, type FileRule } from './types.js';

const EXTENSIONS = ['.csv', '.tsv', '.jsonl', '.ndjson'];
const IMAGE_COLUMNS = [
  'image',
  'file_name',
  'filename',
  'image_path',
  'filepath',
  'image_file',
  'path',
  'file',
  'img',
];
const CAPTION_COLUMN = /^(?:captions?|texts?|titles?|sentences?|descriptions?)(?:[_ ]?\d+)?$/;
const TAG_COLUMN = /^(?:tags?|labels?|class|category)$/;
const SPLIT_COLUMN = 'split';

export const isTable = (path: string): boolean => EXTENSIONS.includes(extname(path).toLowerCase());

/** One row: column name in lower case → value. */
type Row = Record<string, unknown>;
interface TableFile {
  path: string;
  /** The split that all rows belong to unless they have a column of that name. */
  split: string;
}

/**
 * The tables of a folder, one split a file (`metadata` and `captions` are not names of splits); undefined when there
 * are none.
 */
export async function openTables(folder: string, rule: FileRule): Promise<Dataset | undefined> {
  const names = (await readdir(folder)).filter(isTable).sort(byCodeUnits);
  if (names.length === 0) return undefined;
  return tableDataset(
    folder,
    names.map((name) => {
      const stem = basename(name, extname(name));
      return { path: join(folder, name), split: /^(?:metadata|captions)$/i.test(stem) ? ONLY_SPLIT : stem };
    }),
    rule,
  );
}

/** The dataset of one table; image names are relative to its folder. */
export const openTable = (path: string, rule: FileRule): Promise<Dataset> =>
  tableDataset(dirname(path), [{ path, split: ONLY_SPLIT }], rule);

async function tableDataset(folder: string, files: readonly TableFile[], rule: FileRule): Promise<Dataset> {
  const index = await FileIndex.of(folder, rule);
  const bySplit = new Map<string, TableReader>();
  for (const file of files) {
    for await (const { row, line } of readRows(file.path)) {
      const split = cleanText(row[SPLIT_COLUMN]) ?? file.split;
      const reader = bySplit.get(split) ?? new TableReader(folder, split, index);
      bySplit.set(split, reader);
      reader.add(row, `${file.path}, line ${line}`);
    }
  }
  return {
    format: 'table',
    splits: [...bySplit.keys()].sort(byCodeUnits),
    read: async (split) => bySplit.get(split)?.result() ?? { split, images: [], classes: [], problems: [] },
  };
}

/** Collects the rows of a split; rows that name the same file become one image. */
class TableReader {
  private readonly byName = new Map<string, { captions: string[]; tags: Set<string> }>();
  private readonly problems: DatasetProblem[] = [];

  constructor(
    private readonly folder: string,
    private readonly split: string,
    private readonly index: FileIndex,
  ) {}

  add(row: Row, where: string): void {
    const column = IMAGE_COLUMNS.find((name) => name in row);
    const captionColumns = Object.keys(row).filter((name) => CAPTION_COLUMN.test(name));
    const tagColumns = Object.keys(row).filter((name) => TAG_COLUMN.test(name));
    if (column === undefined) {
      throw new ClipError('DATASET_INVALID', `${where}: no column names the image`, {
        expected: `one of ${IMAGE_COLUMNS.join(', ')}`,
        found: shown(Object.keys(row).join(', ')),
      });
    }
    const name = row[column];
    if (typeof name !== 'string' || name === '') {
      this.problems.push({ code: 'name_invalid', name: where, detail: `"${column}" is ${shown(name)}` });
      return;
    }
    const entry = this.byName.get(name) ?? { captions: [], tags: new Set<string>() };
    this.byName.set(name, entry);
    for (const value of captionColumns.flatMap((key) => row[key])) {
      const caption = cleanText(value);
      if (caption !== undefined) entry.captions.push(caption);
      // Rows with fewer captions than others leave cells empty.
      else if (captionColumns.length === 1 || (value !== '' && value != null))
        this.problems.push({ code: 'caption_invalid', name, detail: `found ${shown(value)}` });
    }
    for (const value of tagColumns.flatMap((key) => row[key])) {
      const tag = cleanText(value);
      if (tag !== undefined) entry.tags.add(tag);
    }
  }

  result(): DatasetSplit {
    const { split } = this;
    const annotated = [...this.byName].map(([fileName, { captions, tags }]) => ({
      fileName,
      captions,
      tags: [...tags],
    }));
    const prefixes = ['', 'images', split, `images/${split}`];
    const { images, problems } = locateImages(this.folder, annotated, this.index, prefixes);
    const classes = [...new Set(images.flatMap(({ tags }) => tags))];
    return { split, images, classes, problems: [...this.problems, ...problems] };
  }
}

async function* readRows(path: string): AsyncGenerator<{ row: Row; line: number }> {
  const extension = extname(path).toLowerCase();
  yield* extension === '.csv' || extension === '.tsv'
    ? readCsv(path, extension === '.tsv')
    : readJsonLines(path);
}

const HEADER_BYTES = 1 << 16;

/** Of a table of commas or of semicolons, by its header: captions may have the other one without quotation marks. */
async function delimiterOf(path: string): Promise<',' | ';'> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    const [header = ''] = buffer.toString('utf8', 0, bytesRead).split(/[\r\n]/, 1);
    const count = (mark: string) => header.split(mark).length;
    return count(';') > count(',') ? ';' : ',';
  } finally {
    await file.close();
  }
}

async function* readCsv(path: string, tabs: boolean): AsyncGenerator<{ row: Row; line: number }> {
  const parser = createReadStream(path).pipe(
    parseCsv({
      bom: true,
      columns: (header: string[]) => header.map((name) => name.trim().toLowerCase()),
      delimiter: tabs ? '\t' : await delimiterOf(path),
      // Tabs need no quoting, so quotation marks there are part of the caption.
      quote: tabs ? null : '"',
      info: true,
      relax_column_count: false,
      skip_empty_lines: true,
      max_record_size: 1024 * 1024,
    }),
  );
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Row; info: { lines: number } }>) {
      yield { row: record, line: info.lines };
    }
  } catch (cause) {
    if (cause instanceof ClipError) throw cause;
    throw new ClipError('DATASET_INVALID', `the table ${path} cannot be read`, {
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Put captions with commas or quotation marks in quotation marks, and write "" for one inside.',
      cause,
    });
  }
}

async function* readJsonLines(path: string): AsyncGenerator<{ row: Row; line: number }> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
    line++;
    const content = line === 1 ? text.replace(/^\uFEFF/, '') : text;
    if (content.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch (cause) {
      throw new ClipError('DATASET_INVALID', `${path}, line ${line} is not JSON`, {
        found: shown(content),
        cause,
      });
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ClipError('DATASET_INVALID', `${path}, line ${line} is not an object`, {
        found: shown(content),
      });
    }
    const row = Object.fromEntries(
      Object.entries(value).map(([key, field]) => [key.toLowerCase(), field as unknown]),
    );
    yield { row, line };
  }
}
