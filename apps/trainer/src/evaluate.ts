/** Evaluates a checkpoint on a dataset: retrieval recall on one split, zero-shot accuracy on those with instances. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { embeddingProgram, type EmbeddingProgram, type Runner } from '@clip-ts/clip/train';
import type { BackendName } from './backend/names.js';
import { openBackend } from './backend.js';
import { listSplits, readCocoInstances, readCocoSplit, type CocoSplit } from './coco/read-coco.js';
import { tokenizeCaptions } from './data/caption-store.js';
import type { PairSource } from './data/batches.js';
import { openPairSource } from './data/open-pair-source.js';
import { InputError } from './errors.js';
import { embedCaptions, embedImages } from './evaluation/embed.js';
import { retrievalRecall, type Recall, type RetrievalResult } from './evaluation/retrieval.js';
import {
  classEmbeddings,
  labelImages,
  promptsOf,
  zeroShotAccuracy,
  type ZeroShotResult,
} from './evaluation/zero-shot.js';
import { reopenModel, type AssembledModel } from './model/assemble.js';
import { createProgressPrinter } from './progress.js';

export interface EvaluateOptions {
  checkpoint: string;
  data: string;
  /** Split of the retrieval metric. */
  split: string;
  /** Splits of the zero-shot accuracy; all but the training split when not given. */
  zeroShotSplits?: string[];
  backend: BackendName;
  batchSize: number;
  imageMemory: number;
  workers: number;
}

export interface Evaluation {
  retrieval: RetrievalResult;
  zero_shot: ZeroShotResult[];
}

export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { checkpoint, data, split: splitName, batchSize } = options;
  await access(path.join(checkpoint, 'config.json')).catch(() => {
    throw new InputError(
      `--checkpoint ${checkpoint}: no config.json there; train one with: trainer pretrain`,
    );
  });
  const printer = createProgressPrinter();
  const retrievalSplit = await readCocoSplit(data, splitName);
  const zeroShotSplits =
    options.zeroShotSplits ?? (await listSplits(data)).filter((name) => !/^train/.test(name));
  for (const warning of retrievalSplit.warnings) printer.say(`warning: ${warning}`);
  const assembled = await reopenModel(checkpoint);
  const backend = await openBackend(options.backend, 'cpu', printer.say);
  const runner = backend.createRunner(embeddingProgram(assembled.model), assembled.weights);
  try {
    const embedded = new Map<string, Float32Array[]>();
    const open = async (split: CocoSplit): Promise<{ source: PairSource; images: Float32Array[] }> => {
      const memory = { memoryLimit: options.imageMemory, workers: options.workers, printer };
      const source = await openPairSource(split, assembled, memory);
      const images = embedded.get(split.split) ?? (await embedImages(runner, source, batchSize));
      embedded.set(split.split, images);
      return { source, images };
    };
    const retrieval = await retrievalOf(retrievalSplit, await open(retrievalSplit), runner, batchSize);
    const zero_shot: ZeroShotResult[] = [];
    for (const name of zeroShotSplits) {
      const result = await zeroShotOf(data, name, assembled, runner, batchSize, open);
      if (result) zero_shot.push(result);
    }
    return { retrieval, zero_shot };
  } finally {
    runner.dispose();
  }
}

async function retrievalOf(
  split: CocoSplit,
  { source, images }: { source: PairSource; images: Float32Array[] },
  runner: Runner<EmbeddingProgram>,
  batchSize: number,
): Promise<RetrievalResult> {
  const all = Int32Array.from({ length: source.captions.count }, (_, caption) => caption);
  const texts = await embedCaptions(runner, source.captions, all, batchSize);
  const owner = split.images.flatMap(({ captions }, image) => captions.map(() => image));
  return retrievalRecall(images, texts, owner);
}

async function zeroShotOf(
  data: string,
  name: string,
  { tokenizer, maximumLength, minimumLength }: AssembledModel,
  runner: Runner<EmbeddingProgram>,
  batchSize: number,
  open: (split: CocoSplit) => Promise<{ images: Float32Array[] }>,
): Promise<ZeroShotResult | undefined> {
  const instances = await readCocoInstances(data, name);
  if (!instances) return undefined;
  const split = await readCocoSplit(data, name);
  const { names, labelled } = labelImages(split, instances);
  if (labelled.length === 0) return undefined;
  const prompts = tokenizeCaptions([promptsOf(names)], tokenizer, maximumLength, minimumLength);
  const all = Int32Array.from({ length: prompts.count }, (_, prompt) => prompt);
  const classes = classEmbeddings(await embedCaptions(runner, prompts, all, batchSize));
  return zeroShotAccuracy(name, (await open(split)).images, classes, labelled);
}

const share = (value: number) => value.toFixed(3).padStart(7);

/** The table for people. */
export function evaluationTable({ retrieval, zero_shot }: Evaluation): string {
  const recallRow = (label: string, { r1, r5, r10 }: Recall) =>
    `${label.padEnd(34)}${share(r1)}${share(r5)}${share(r10)}`;
  const lines = [
    `retrieval, ${retrieval.images} images, ${retrieval.captions} captions`.padEnd(34) +
      '    R@1    R@5   R@10',
    recallRow('  text → image', retrieval.text_to_image),
    recallRow('  image → text', retrieval.image_to_text),
  ];
  if (zero_shot.length > 0) lines.push('zero-shot'.padEnd(34) + '   top1   top5');
  for (const { name, classes, images, top1, top5 } of zero_shot) {
    lines.push(`  ${name} (${classes} classes, ${images} images)`.padEnd(34) + share(top1) + share(top5));
  }
  return lines.join('\n');
}
