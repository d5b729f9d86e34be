/** What every dataset is read into, whatever its format. */
import type { ImageFormat } from '../preprocess/image-format.js';

/** Where an image's bytes are: the path of a file, or a range of bytes of an archive. */
export type ImageLocation = string | { archive: string; offset: number; size: number };

/** One image of a dataset. */
export interface DatasetImage {
  /** Unique in its split: the path below the dataset's folder, or the archive and the member's name. */
  name: string;
  location: ImageLocation;
  /** In the order of the annotations, trimmed, well-formed, not empty. A caption given twice is there twice. */
  captions: string[];
  /** Names of classes or categories, each once, in the order in which they are first met. */
  tags: string[];
}

/**
 * Which symbolic links of a dataset are followed. inside: those that stay below its folder, for a dataset that someone else
 * may have made; anywhere: all, for one whose owner runs the program.
 */
export type LinkRule = 'inside' | 'anywhere';

export interface DatasetOptions {
  /** Captions of every image of a folder of classes, `{}` for the name of its class. */
  templates?: readonly string[];
  links?: LinkRule;
  /** Formats of images that are taken, by their names; default IMAGE_FORMATS. */
  formats?: readonly ImageFormat[];
}

/** Which files of a dataset are taken. */
export type FileRule = Required<Pick<DatasetOptions, 'links' | 'formats'>>;

/** What can be wrong with one image or annotation; the dataset is read all the same. */
export const DATASET_PROBLEMS = {
  image_missing: 'an annotated image has no file',
  image_ambiguous: 'several files could be the annotated image',
  id_repeated: 'several images have the same id, so that captions cannot be told apart',
  name_invalid: 'the name of an image leads out of the dataset or is not a text',
  caption_missing: 'an image has no caption',
  caption_invalid: 'a caption is null, empty or not a text',
  annotation_orphaned: 'an annotation names an image that is not listed',
  folder_unreadable: 'a folder cannot be read',
  link_outside: 'a link leads out of the dataset, or to nothing',
  format_unsupported: 'a file is an image of a format that is not read',
} as const;
export type DatasetProblemCode = keyof typeof DATASET_PROBLEMS;

/** A problem with what it concerns. */
export interface DatasetProblem {
  code: DatasetProblemCode;
  /** The image's or annotation's name or id, as the dataset spells it. */
  name: string;
  detail: string;
}

/** One split of a dataset. */
export interface DatasetSplit {
  split: string;
  /** Every image that has a file. Those without a caption are here too. */
  images: DatasetImage[];
  /** Every class or category that the dataset names, whether an image has it or not; the tags are among them. */
  classes: string[];
  problems: DatasetProblem[];
}

export const DATASET_FORMATS = ['coco', 'table', 'webdataset', 'class-folders', 'images'] as const;
/**
 * coco: annotations/captions_{split}.json; table: CSV, TSV or JSON Lines of image and caption; webdataset: tar shards;
 * class-folders: one sub-folder per class; images: image files alone.
 */
export type DatasetFormat = (typeof DATASET_FORMATS)[number];

/** An opened dataset; nothing but names has been read. */
export interface Dataset {
  format: DatasetFormat;
  /** Sorted; a dataset without splits has the one split `all`. */
  splits: readonly string[];
  /** Reads one of the splits. Throws ClipError DATASET_INVALID. */
  read(split: string): Promise<DatasetSplit>;
}

/** The split of a dataset that has none. */
export const ONLY_SPLIT = 'all';
