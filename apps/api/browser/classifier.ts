/** Scores of labels as POST /classify gives them. Embeddings of texts are kept, so that bars move as labels are edited. */
import {
  ensembleEmbeds,
  labelPrompts,
  rankLabels,
  REFERENCE_LABELS,
  TEMPLATE_SETS,
  textCenter,
  type RankedLabel,
} from '@clip-ts/clip/browser';
import type { Labels } from './messages.js';
import type { Model } from './model.js';

/** Texts that one run of the model takes: between two of them, other work may come first. */
const BATCH = 8;
/** Texts whose embeddings are kept. */
const REMEMBERED = 2000;

export class Classifier {
  private readonly embeds = new Map<string, Float32Array>();
  private readonly centers = new Map<string, Float32Array>();

  constructor(private readonly model: Model) {}

  /**
   * @param isOutdated asked between two runs of the model
   * @returns labels by descending score; undefined when it became outdated
   */
  async rank(
    imageEmbed: Float32Array,
    { labels, templates: given, multiLabel, background }: Labels,
    isOutdated: () => boolean,
  ): Promise<RankedLabel[] | undefined> {
    const { logitScale, logitBias } = this.model.scoring;
    const templates = [...new Set(given.flatMap((template) => TEMPLATE_SETS[template] ?? [template]))];
    const labelEmbeds = await this.labels(labels, templates, isOutdated);
    if (labelEmbeds === undefined) return undefined;
    let center: Float32Array | undefined;
    if (logitBias === undefined && (multiLabel || background)) {
      center = await this.center(templates, isOutdated);
      if (center === undefined) return undefined;
    }
    return rankLabels(imageEmbed, labelEmbeds, labels, {
      logitScale,
      logitBias,
      multiLabel,
      rest: background,
      center,
      calibration: this.model.labelCalibration,
    });
  }

  /** Center of the reference labels in the templates. */
  private async center(
    templates: readonly string[],
    isOutdated: () => boolean,
  ): Promise<Float32Array | undefined> {
    const key = JSON.stringify(templates);
    const known = this.centers.get(key);
    if (known !== undefined) return known;
    const embeds = await this.labels(REFERENCE_LABELS, templates, isOutdated);
    if (embeds === undefined) return undefined;
    const center = textCenter(embeds);
    this.centers.set(key, center);
    return center;
  }

  /** Embeddings of labels, the mean over the templates. */
  private async labels(
    labels: readonly string[],
    templates: readonly string[],
    isOutdated: () => boolean,
  ): Promise<Float32Array[] | undefined> {
    const all: Float32Array[][] = [];
    for (const template of templates) {
      const embeds = await this.texts(labelPrompts(labels, template), isOutdated);
      if (embeds === undefined) return undefined;
      all.push(embeds);
    }
    return ensembleEmbeds(all);
  }

  private async texts(
    texts: readonly string[],
    isOutdated: () => boolean,
  ): Promise<Float32Array[] | undefined> {
    const missing = [...new Set(texts)].filter((text) => !this.embeds.has(text));
    const made = new Map<string, Float32Array>();
    for (let from = 0; from < missing.length; from += BATCH) {
      if (isOutdated()) return undefined;
      const batch = missing.slice(from, from + BATCH);
      const embeds = await this.model.encodeTexts(batch);
      batch.forEach((text, i) => made.set(text, embeds[i]!));
    }
    const all = texts.map((text) => made.get(text) ?? this.embeds.get(text)!);
    if (this.embeds.size + made.size > REMEMBERED) this.embeds.clear();
    for (const [text, embed] of made) this.embeds.set(text, embed);
    return all;
  }
}
