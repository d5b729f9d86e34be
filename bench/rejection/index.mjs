/**
 * How well a model tells labels that describe an image from labels that do not, and images to which one of the
 * offered labels belongs from those to which none does.
 *
 *   npm run bench -- rejection [--checkpoint data/sample/run/checkpoint] [--sample data/sample/dataset]
 *     [--photos CHECKPOINT] [--data ../shared/data]
 *
 * - sample: the checkpoint of `npm start` on its own validation splits; a label is right when the object is drawn.
 * - flickr8k: published CLIP ViT-B/32 embeddings of 986 photos and of "a {COCO name}"; a label is right when two of
 *   the five captions name it, wrong when none does. The names that are never offered are the reference texts.
 * - coco-mini: with --photos, a checkpoint trained on photos; a label is right when an instance is annotated.
 *
 * Prints `name: value unit` lines: the AUROC of right against wrong pairs; the AUROC of the best of four labels, one
 * of them right, against four wrong ones; and at a probability of 0.5 which share is accepted and rejected.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  ClipEncoder,
  NONE_OF_THE_ABOVE,
  REFERENCE_LABELS,
  SafetensorsFile,
  labelPrompts,
  rankLabels,
  textCenter,
} from '@clip-ts/clip';

/** @typedef {{ images: Float32Array[], texts: Float32Array[], labels: string[], center: Float32Array,
 *   logitScale: number, calibration?: import('@clip-ts/clip').LabelCalibration, isRight: boolean[][], isWrong: boolean[][] }} Case images I, texts and labels L, truth [I][L] */

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: root('data/sample/run/checkpoint') },
    sample: { type: 'string', default: root('data/sample/dataset') },
    photos: { type: 'string' },
    data: { type: 'string', default: process.env.CLIP_TEST_DATA ?? root('../shared/data') },
  },
});
const OFFERED = 4;
const TEMPLATE = 'a photo of a {}';

/** Area under the ROC curve: how often a value of `high` is above one of `low`. @param {number[]} high @param {number[]} low */
function auroc(high, low) {
  const all = [
    ...high.map((value) => ({ value, isHigh: true })),
    ...low.map((value) => ({ value, isHigh: false })),
  ];
  all.sort((a, b) => a.value - b.value);
  let sum = 0;
  for (let start = 0; start < all.length;) {
    let end = start;
    while (end < all.length && all[end]?.value === all[start]?.value) end++;
    const rank = (start + end + 1) / 2;
    for (let i = start; i < end; i++) if (all[i]?.isHigh) sum += rank;
    start = end;
  }
  return (sum - (high.length * (high.length + 1)) / 2) / (high.length * low.length);
}

/** Lehmer's generator: the same choices in every run. @param {number} seed */
function random(seed) {
  let state = seed;
  return (/** @type {number} */ below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

/**
 * Truth and scores are read by index throughout, so they are `any` to the type checker.
 * @param {string} name @param {any} of a {@link Case}
 */
function report(name, { images, texts, labels, center, logitScale, calibration, isRight, isWrong }) {
  const line = (/** @type {string} */ what, /** @type {number} */ value) =>
    console.log(`${name}.${what}: ${value.toFixed(3)} ratio`);
  const score = (/** @type {number} */ i, /** @type {number[]} */ among, /** @type {object} */ options) =>
    rankLabels(
      images[i],
      among.map((l) => texts[l]),
      among.map((l) => labels[l]),
      { logitScale, center, calibration, ...options },
    );
  /** @type {any} */
  const pairs = { right: { cosine: [], own: [] }, wrong: { cosine: [], own: [] } };
  /** @type {any} */
  const offers = { known: { cosine: [], own: [] }, unknown: { cosine: [], own: [] } };
  const pick = random(17);
  let rejected = 0;
  let kept = 0;
  images.forEach((/** @type {Float32Array} */ _, /** @type {number} */ i) => {
    for (const l of labels.keys()) {
      if (!isRight[i][l] && !isWrong[i][l]) continue;
      const own = /** @type {any} */ (score(i, [l], { multiLabel: true })[0]);
      const to = isRight[i][l] ? pairs.right : pairs.wrong;
      to.cosine.push(own.similarity);
      to.own.push(own.score);
    }
    const right = [...labels.keys()].filter((l) => isRight[i][l]);
    const wrong = [...labels.keys()].filter((l) => isWrong[i][l]);
    if (right.length === 0 || wrong.length < OFFERED) return;
    const four = Array.from({ length: OFFERED }, () => wrong.splice(pick(wrong.length), 1)[0]);
    const known = [right[pick(right.length)], ...four.slice(1)];
    for (const [among, to] of [
      [known, offers.known],
      [four, offers.unknown],
    ]) {
      const ranked = /** @type {any[]} */ (score(i, among, { rest: true }));
      to.cosine.push(Math.max(...ranked.map(({ similarity }) => similarity)));
      to.own.push(1 - ranked.find(({ label }) => label === NONE_OF_THE_ABOVE).score);
      if (among === four && ranked[0].label === NONE_OF_THE_ABOVE) rejected++;
      if (among === known && ranked[0].label === labels[known[0]]) kept++;
    }
  });
  line('pairs.auroc.cosine', auroc(pairs.right.cosine, pairs.wrong.cosine));
  line('pairs.auroc.background', auroc(pairs.right.own, pairs.wrong.own));
  const accepted = (/** @type {number[]} */ scores) =>
    scores.filter((value) => value > 0.5).length / scores.length;
  line('pairs.accepted.right', accepted(pairs.right.own));
  line('pairs.accepted.wrong', accepted(pairs.wrong.own));
  line('four_labels.auroc.cosine', auroc(offers.known.cosine, offers.unknown.cosine));
  line('four_labels.auroc.background', auroc(offers.known.own, offers.unknown.own));
  line('four_labels.none_wins_when_all_wrong', rejected / offers.unknown.own.length);
  line('four_labels.right_label_wins', kept / offers.known.own.length);
}

/** @type {(path: string) => Promise<any>} */
const json = async (path) => JSON.parse(await readFile(path, 'utf8'));

/** A split with instances, encoded by a checkpoint. @param {string} name @param {string} checkpoint @param {string} data @param {string} split @param {string} images */
async function fromInstances(name, checkpoint, data, split, images) {
  const instances = await json(join(data, `annotations/instances_${split}.json`));
  const names = new Map(
    instances.categories.map((/** @type {any} */ category) => [category.id, category.name]),
  );
  const labels = [...names.values()];
  const shown = new Map(instances.images.map((/** @type {any} */ { id }) => [id, new Set()]));
  for (const { image_id, category_id } of instances.annotations)
    shown.get(image_id)?.add(names.get(category_id));
  const encoder = await ClipEncoder.load(checkpoint);
  const isRight = instances.images.map((/** @type {any} */ { id }) =>
    labels.map((/** @type {any} */ label) => shown.get(id).has(label)),
  );
  report(name, {
    images: await encoder.encodeImages(
      instances.images.map((/** @type {any} */ { file_name }) => join(data, images, file_name)),
    ),
    texts: await encoder.encodeTexts(labelPrompts(labels, TEMPLATE)),
    center: textCenter(await encoder.encodeTexts(labelPrompts(REFERENCE_LABELS, TEMPLATE))),
    logitScale: encoder.logitScale,
    calibration: encoder.labelCalibration,
    labels,
    isRight,
    isWrong: isRight.map((/** @type {any} */ row) => row.map((/** @type {any} */ right) => !right)),
  });
  await encoder.dispose();
}

/** @param {string} data */
async function flickr8k(data) {
  const rows = await json(join(data, 'clip-embeddings/rows.json'));
  const file = await SafetensorsFile.open(join(data, 'clip-embeddings/clip-vit-base-patch32.safetensors'));
  const split = async (/** @type {string} */ name) => {
    const numbers = await file.readFloat32(name);
    return Array.from({ length: numbers.length / 512 }, (_, row) => {
      const vector = numbers.subarray(row * 512, (row + 1) * 512);
      const norm = Math.hypot(...vector);
      return vector.map((value) => value / norm);
    });
  };
  const [images, texts] = [await split('image_embeds'), await split('text_embeds')];
  await file.close();
  const captions = new Map();
  const { images: files, annotations } = await json(
    join(data, 'flickr8k-coco/annotations/captions_train2017.json'),
  );
  const names = new Map(files.map((/** @type {any} */ { id, file_name }) => [id, file_name]));
  for (const { image_id, caption } of annotations) {
    const name = names.get(image_id);
    captions.set(name, [...(captions.get(name) ?? []), caption.toLowerCase()]);
  }
  const labels = rows.texts.map((/** @type {any} */ text) => text.replace(/^an? /, ''));
  const counts = rows.image_files.map((/** @type {any} */ path) =>
    labels.map((/** @type {any} */ label) => {
      const word = new RegExp(`\\b${label}s?\\b`);
      return (captions.get(path.split('/').at(-1)) ?? []).filter((/** @type {any} */ caption) =>
        word.test(caption),
      ).length;
    }),
  );
  // A person is in most photos under other words, and an orange is mostly a colour.
  const offered = [...labels.keys()].filter(
    (l) =>
      !['person', 'orange'].includes(labels[l]) &&
      counts.filter((/** @type {any} */ row) => row[l] >= 2).length >= 5,
  );
  report('flickr8k', {
    images,
    texts: offered.map((l) => texts[l]),
    labels: offered.map((l) => labels[l]),
    center: textCenter(texts.filter((_, l) => !offered.includes(l) && labels[l] !== 'person')),
    logitScale: 100,
    isRight: counts.map((/** @type {any} */ row) => offered.map((l) => row[l] >= 2)),
    isWrong: counts.map((/** @type {any} */ row) => offered.map((l) => row[l] === 0)),
  });
}

const missing = (/** @type {string} */ name, /** @type {string} */ what) =>
  console.log(`# ${name}: not measured, ${what}`);
if (existsSync(join(values.checkpoint, 'onnx'))) {
  for (const split of ['val2017', 'valheldout2017'])
    await fromInstances(`sample.${split}`, values.checkpoint, values.sample, split, `images/${split}`);
} else
  missing('sample', `there is no checkpoint in ${values.checkpoint}; make it with: npm start -- --no-serve`);
if (existsSync(join(values.data, 'clip-embeddings'))) await flickr8k(values.data);
else missing('flickr8k', `there is no clip-embeddings in ${values.data}`);
if (values.photos !== undefined) {
  await fromInstances('coco-mini', values.photos, join(values.data, 'coco-mini'), 'val2017', 'val2017');
} else missing('coco-mini', 'name a checkpoint trained on photos with --photos');
