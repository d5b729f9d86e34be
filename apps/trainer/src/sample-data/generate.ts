/**
 * Writes the sample dataset as a COCO folder: images/{split}, annotations/captions_{split}.json and
 * instances_{split}.json, and a README. The folder is written whole or not at all; the same recipe gives the same bytes.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import sharp from 'sharp';
import { makeFolder, writeFolderAtomic } from '@clip-ts/clip/files';
import { InputError } from '../errors.js';
import { captionScene } from './captions.js';
import { paintScene, type Extent } from './raster.js';
import { readmeOf } from './readme.js';
import { drawScene, type Scene, type SplitKind } from './scene.js';
import { CLASSES, categoryId, className } from './vocabulary.js';

export interface SampleRecipe {
  /** Changes whenever the drawing does, so that an older dataset is not taken for the current one. */
  version: number;
  seed: number;
  /** Side of an image in pixels. */
  size: number;
  train: number;
  val: number;
  heldOut: number;
}

export const RECIPE_VERSION = 2;
const RECIPE_FILE = 'recipe.json';
/** Images encoded at a time; libvips works in its own threads. */
const ENCODES_IN_FLIGHT = 16;

interface SplitPlan {
  name: string;
  kind: SplitKind;
  count: number;
  key: number;
}

const splitsOf = (recipe: SampleRecipe): SplitPlan[] => [
  { name: 'train2017', kind: 'train', count: recipe.train, key: 1 },
  { name: 'val2017', kind: 'seen', count: recipe.val, key: 2 },
  { name: 'valheldout2017', kind: 'held-out', count: recipe.heldOut, key: 3 },
];

const fileName = (imageId: number) => `${String(imageId).padStart(12, '0')}.jpg`;

async function writeImage(pixels: Uint8Array, size: number, file: string): Promise<void> {
  const jpeg = await sharp(pixels, { raw: { width: size, height: size, channels: 3 } })
    .jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
    .toBuffer();
  await writeFile(file, jpeg);
}

interface Drawn {
  imageId: number;
  scene: Scene;
  extents: Extent[];
}

async function writeSplitImages(
  plan: SplitPlan,
  recipe: SampleRecipe,
  folder: string,
  onImage: () => void,
): Promise<Drawn[]> {
  const images = path.join(folder, 'images', plan.name);
  await makeFolder(images);
  const drawImage = async (index: number): Promise<Drawn> => {
    const imageId = plan.key * 100_000 + index + 1;
    const scene = drawScene(recipe.seed, plan.key, plan.kind, index);
    const { pixels, extents } = paintScene(scene, recipe.size);
    await writeImage(pixels, recipe.size, path.join(images, fileName(imageId)));
    onImage();
    return { imageId, scene, extents };
  };
  return pMap(Array(plan.count).keys(), drawImage, { concurrency: ENCODES_IN_FLIGHT });
}

const info = (split: string, recipe: SampleRecipe) => ({
  description: `Drawn scenes for clip-ts, split ${split}, seed ${recipe.seed}`,
  version: String(recipe.version),
  year: 2017,
});

const imageEntries = (drawn: readonly Drawn[], size: number) =>
  drawn.map(({ imageId }) => ({ id: imageId, file_name: fileName(imageId), width: size, height: size }));

function captionsFile(plan: SplitPlan, recipe: SampleRecipe, drawn: readonly Drawn[]) {
  const annotations = drawn.flatMap(({ imageId, scene }) =>
    captionScene(scene).map((caption, index) => ({ id: imageId * 10 + index, image_id: imageId, caption })),
  );
  return { info: info(plan.name, recipe), images: imageEntries(drawn, recipe.size), annotations };
}

function instancesFile(plan: SplitPlan, recipe: SampleRecipe, drawn: readonly Drawn[]) {
  const annotations = drawn.flatMap(({ imageId, scene, extents }) =>
    scene.objects.map((object, index) => ({
      id: imageId * 10 + index,
      image_id: imageId,
      category_id: categoryId(object),
      bbox: extents[index]!.bbox,
      area: extents[index]!.area,
      iscrowd: 0,
      segmentation: [],
    })),
  );
  const categories = CLASSES.map((combination, index) => ({
    id: index + 1,
    name: className(combination),
    supercategory: combination.shape,
  }));
  return { info: info(plan.name, recipe), images: imageEntries(drawn, recipe.size), annotations, categories };
}

export type ExistingDataset = 'absent' | 'same' | 'other-sample';

/** What is at the output path: nothing, this dataset, or another sample dataset. @throws InputError for anything else */
export async function existingDataset(folder: string, recipe: SampleRecipe): Promise<ExistingDataset> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    if (error.code === 'ENOTDIR') throw new InputError(`--output ${folder} is a file; name a folder`);
    throw error;
  });
  if (names === undefined || names.length === 0) return 'absent';
  const found = await readFile(path.join(folder, RECIPE_FILE), 'utf8').catch(() => undefined);
  if (found === undefined) {
    throw new InputError(
      `--output ${folder} holds other files and no ${RECIPE_FILE} of a sample dataset; name an empty or new folder`,
    );
  }
  return found === recipeText(recipe) ? 'same' : 'other-sample';
}

const recipeText = (recipe: SampleRecipe) => `${JSON.stringify(recipe, null, 2)}\n`;

/** Draws and writes the whole dataset. @param onProgress gets the number of images done and the total */
export async function generateSampleDataset(
  folder: string,
  recipe: SampleRecipe,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  const plans = splitsOf(recipe);
  const total = plans.reduce((sum, plan) => sum + plan.count, 0);
  let done = 0;
  await writeFolderAtomic(folder, async (temporary) => {
    const annotations = path.join(temporary, 'annotations');
    await makeFolder(annotations);
    for (const plan of plans) {
      const drawn = await writeSplitImages(plan, recipe, temporary, () => onProgress(++done, total));
      const write = (kind: string, content: unknown) =>
        writeFile(path.join(annotations, `${kind}_${plan.name}.json`), JSON.stringify(content));
      await write('captions', captionsFile(plan, recipe, drawn));
      await write('instances', instancesFile(plan, recipe, drawn));
    }
    await writeFile(path.join(temporary, 'README.md'), readmeOf(recipe));
    await writeFile(path.join(temporary, RECIPE_FILE), recipeText(recipe));
  });
}
