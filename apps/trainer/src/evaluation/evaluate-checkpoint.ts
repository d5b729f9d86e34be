/** Evaluates a checkpoint on a dataset: retrieval recall on one split, zero-shot accuracy on those with instances. */
import { embeddingProgram, type EmbeddingProgram } from '@clip-ts/clip/train';
import type { BackendName } from '../backend/names.js';
import { openBackend, type FixedRunner } from '../backend/open-backend.js';
import { tokenizeCaptions, type CaptionStore } from '../data/caption-store.js';
import { openPairSources } from '../data/pair-source.js';
import { openData, pickEvaluationSplit, readCaptioned, type CaptionedSplit } from '../data/read-dataset.js';
import type { ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { assertCheckpoint, reopenModel } from '../model/reopen-model.js';
import { embedAllCaptions, embedImages } from './embed.js';
import { retrievalRecall, type RetrievalResult } from './retrieval.js';
import {
  classEmbeddings,
  labelImages,
  promptsOf,
  zeroShotAccuracy,
  type ZeroShotResult,
} from './zero-shot.js';

export interface EvaluateOptions {
  checkpoint: string;
  data: string;
  /** Split of the retrieval metric; that of validation when not given. */
  split?: string;
  /** Splits of the zero-shot accuracy; all but the training split when not given. */
  zeroShotSplits?: string[];
  backend: BackendName;
  batchSize: number;
  /** Threads that decode images. */
  workers: number;
  printer: ProgressPrinter;
}

export interface Evaluation {
  retrieval: RetrievalResult;
  zero_shot: ZeroShotResult[];
}

/** What the metrics of one checkpoint share. */
interface Evaluator {
  options: EvaluateOptions;
  assembled: AssembledModel;
  runner: FixedRunner<EmbeddingProgram>;
  /** Each split is decoded and embedded once. */
  embed: (split: CaptionedSplit) => Promise<EmbeddedSplit>;
}

interface EmbeddedSplit {
  captions: CaptionStore;
  /** image_embeds [E] of each image. */
  images: Float32Array[];
}

export async function evaluateCheckpoint(options: EvaluateOptions): Promise<Evaluation> {
  const { checkpoint, data, printer } = options;
  await assertCheckpoint(checkpoint);
  const dataset = await openData(data);
  const retrievalSplit = await readCaptioned(
    dataset,
    data,
    pickEvaluationSplit(dataset, data, options.split),
  );
  const zeroShotSplits = options.zeroShotSplits ?? dataset.splits.filter((name) => !/^train/.test(name));
  for (const warning of retrievalSplit.warnings) printer.log(`warning: ${warning}`);
  const assembled = await reopenModel(checkpoint);
  const backend = await openBackend(options.backend, { log: printer.log });
  const runner = backend.createFixedRunner(embeddingProgram(assembled.model), assembled.weights);
  try {
    const evaluator = { options, assembled, runner, embed: splitEmbedder(options, assembled, runner) };
    const retrieval = await evaluateRetrieval(evaluator, retrievalSplit);
    const zero_shot: ZeroShotResult[] = [];
    for (const name of zeroShotSplits) {
      const known = name === retrievalSplit.split;
      const split = known ? retrievalSplit : await readCaptioned(dataset, data, name, 'kept');
      const result = await evaluateZeroShot(evaluator, split);
      if (result) zero_shot.push(result);
    }
    return { retrieval, zero_shot };
  } finally {
    runner.dispose();
  }
}

function splitEmbedder(
  { workers, batchSize }: EvaluateOptions,
  assembled: AssembledModel,
  runner: FixedRunner<EmbeddingProgram>,
): Evaluator['embed'] {
  const embedded = new Map<string, EmbeddedSplit>();
  return async (split) => {
    const known = embedded.get(split.split);
    if (known) return known;
    const { sources, close } = openPairSources([{ split, threads: workers }], assembled);
    try {
      const source = sources[0]!;
      const entry = {
        captions: source.captions,
        images: await embedImages(runner, source, batchSize, false),
      };
      embedded.set(split.split, entry);
      return entry;
    } finally {
      await close();
    }
  };
}

async function evaluateRetrieval(
  { embed, runner, options }: Evaluator,
  split: CaptionedSplit,
): Promise<RetrievalResult> {
  const { captions, images } = await embed(split);
  const texts = await embedAllCaptions(runner, captions, options.batchSize);
  const owner = split.images.flatMap((image, index) => image.captions.map(() => index));
  return retrievalRecall(images, texts, owner);
}

/** Undefined for a split without images of one class. */
async function evaluateZeroShot(
  { options, assembled, runner, embed }: Evaluator,
  split: CaptionedSplit,
): Promise<ZeroShotResult | undefined> {
  const { names, labelled } = labelImages(split);
  if (labelled.length === 0) return undefined;
  const prompts = tokenizeCaptions([promptsOf(names)], assembled.tokenizer, assembled);
  const classes = classEmbeddings(await embedAllCaptions(runner, prompts, options.batchSize));
  return zeroShotAccuracy(split.split, (await embed(split)).images, classes, labelled);
}
