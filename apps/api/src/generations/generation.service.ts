/**
 * The generations of one service: which model answers here, and how another takes its place.
 *
 * 1. The database says which generation answers and which is being built; this service follows it, and loads and closes
 *    models and indexes as that needs. Two models are in memory only while one is being built.
 * 2. A model takes over here in one step: its index holds everything, and from then on requests begin with the new model
 *    while those that run finish with the old one.
 * 3. A model that is not on this disk cannot answer here. Then the service's own checkpoint answers with what it has.
 */
import { join } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { Mutex } from 'async-mutex';
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { Encoder, ModelInfo } from '../encoder/encoder.js';
import { Problem } from '../problems/problem.js';
import { CONFIG, ENCODER, LOAD_ENCODER, METRICS } from '../providers.js';
import { IndexService } from '../vector-index/index.service.js';
import { GenerationRepository } from './generation.repository.js';
import type { Choice } from './generation.repository.js';
import { ModelStore } from './model-store.js';

/** Loads the checkpoint in a folder; `name` is what people know it by. */
export type LoadEncoder = (folder: string, name: string) => Promise<Encoder>;

/** A generation as this service sees it. */
export interface GenerationState {
  model: Pick<ModelInfo, 'hash' | 'name' | 'embeddingSize'>;
  createdAt: Date;
  completedAt: Date | null;
  /** active: it answers here; building: it is to take over; ready: it was complete once; partial: it never was. */
  state: 'active' | 'building' | 'ready' | 'partial';
  /** CLIP_CHECKPOINT names it. */
  isCheckpoint: boolean;
  /** Its files are here. */
  isAvailable: boolean;
}

@Injectable()
export class GenerationService implements OnModuleInit {
  private readonly logger = new Logger('Generations');
  private readonly mutex = new Mutex();
  private readonly store: ModelStore;
  private readonly switches: Counter;
  /** Models that could not be loaded, so that it is not tried again and again. */
  private readonly unusable = new Set<string>();

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(ENCODER) private readonly own: Encoder,
    @Inject(LOAD_ENCODER) private readonly load: LoadEncoder,
    @Inject(GenerationRepository) private readonly generations: GenerationRepository,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(IndexService) private readonly index: IndexService,
    @Inject(METRICS) metrics: Registry,
  ) {
    this.store = new ModelStore(join(config.DATA_DIR, 'models'), config.PRECISION);
    this.switches = new Counter({
      name: 'model_switches_total',
      help: 'How often another model has begun to answer.',
      registers: [metrics],
    });
  }

  /** Before the first request: the model that the database names answers, when it is here. */
  async onModuleInit(): Promise<void> {
    // Before anything is encoded by it: a later start with another checkpoint answers from the copy.
    await this.store.keep(this.own).catch((error: unknown) => {
      this.logger.warn(`the checkpoint could not be copied into the data folder: ${String(error)}`);
    });
    const choice = await this.generations.start(this.own.model);
    if (await this.isLoaded(choice.active)) this.embeddings.answerWith(choice.active);
    if (!this.isNeeded(this.own.model.hash, choice)) await this.embeddings.remove(this.own.model.hash);
  }

  /** Brings this service in line with the database. */
  async follow(): Promise<Choice> {
    return this.mutex.runExclusive(async () => {
      const choice = await this.generations.choice();
      await this.answer(choice);
      if (choice.next !== null) await this.isLoaded(choice.next);
      for (const hash of this.embeddings.models) {
        if (!this.isNeeded(hash, choice)) await this.embeddings.remove(hash);
      }
      // Only now: requests that began with a model have ended with it.
      await this.index.keepOnly(this.embeddings.models);
      return choice;
    });
  }

  /** Frees the disk of what generations that are gone have left here. */
  async prune(): Promise<void> {
    await this.mutex.runExclusive(async () => {
      const hashes = (await this.generations.list()).map(({ model }) => model);
      const kept = [...hashes, this.own.model.hash, this.embeddings.model.hash];
      await this.store.prune(kept);
      await this.index.prune(kept);
    });
  }

  /**
   * Makes a generation answer: at once when it has ever been complete, else after it has been built.
   * @returns whether it answers now
   */
  async activate(hash: string): Promise<boolean> {
    if (hash === this.own.model.hash) await this.generations.registerAgain(this.own.model);
    const generation = await this.generations.find(hash);
    if (generation === null) throw unknownModel(hash);
    if (!(await this.mutex.runExclusive(() => this.isLoaded(hash, true)))) {
      throw new Problem(
        'model_unavailable',
        `The files of the model ${generation.name} are not in DATA_DIR/models, or cannot be loaded. ` +
          'Start the service with CLIP_CHECKPOINT set to its folder.',
      );
    }
    const choice = await this.generations.activate(hash);
    if (choice === null) throw unknownModel(hash);
    await this.follow();
    return choice.active === hash;
  }

  /** Removes the embeddings of a model and its copy. Throws `model_in_use` for the one that answers. */
  async discard(hash: string): Promise<void> {
    const isDiscarded = hash === this.embeddings.model.hash ? false : await this.generations.discard(hash);
    if (isDiscarded === null) throw unknownModel(hash);
    if (!isDiscarded) {
      throw new Problem('model_in_use', 'Search answers from this model. Activate another one first.');
    }
    await this.follow();
  }

  /** The generations, with the service's own checkpoint, which may have none. */
  async list(): Promise<GenerationState[]> {
    // Read first: the choice is then at least as new, and what answers was chosen before it answered.
    const answering = this.embeddings.model.hash;
    const choice = await this.generations.choice();
    const generations = await this.generations.list();
    return Promise.all(
      generations.map(async ({ model, name, embeddingSize, createdAt, completedAt }) => {
        const isAvailable =
          this.embeddings.get(model) !== undefined || (await this.store.folder(model)) !== undefined;
        return {
          model: { hash: model, name, embeddingSize },
          createdAt,
          completedAt,
          state: this.stateOf(model, answering, choice, completedAt, isAvailable),
          isCheckpoint: model === this.own.model.hash,
          isAvailable,
        };
      }),
    );
  }

  /** Where the files of a model lie that its encoder reads; undefined when they are not here. */
  async folder(hash: string): Promise<string | undefined> {
    return (await this.store.folder(hash)) ?? (hash === this.own.model.hash ? this.own.folder : undefined);
  }

  /** The card of a model, as far as its files are here and hold one. */
  card(hash: string): Promise<string | null> {
    return this.store.card(hash);
  }

  private stateOf(
    model: string,
    answering: string,
    choice: Choice,
    completedAt: Date | null,
    isAvailable: boolean,
  ): GenerationState['state'] {
    if (model === answering) return 'active';
    if (model === choice.next) return 'building';
    // Complete in the database, while this service still opens its index.
    if (model === choice.active && isAvailable && !this.unusable.has(model)) return 'building';
    return completedAt === null ? 'partial' : 'ready';
  }

  /** Directs requests to the active model, unless they go there already or it cannot be used. */
  private async answer({ active }: Choice): Promise<void> {
    if (active === this.embeddings.model.hash || !(await this.isLoaded(active))) return;
    const { model } = this.embeddings.get(active)!;
    await this.index.open(model);
    await this.index.catchUp();
    this.embeddings.answerWith(active);
    this.switches.inc();
    this.logger.log(`${model.name} (${active.slice(0, 12)}) answers from now on`);
  }

  /** Models that stay in memory: the one that answers, and the one that is being built. */
  private isNeeded(hash: string, { next }: Choice): boolean {
    return hash === this.embeddings.model.hash || hash === next;
  }

  /** Whether a model is in memory; loads it when it is not and can be. */
  private async isLoaded(hash: string, retry = false): Promise<boolean> {
    if (this.embeddings.get(hash) !== undefined) return true;
    if (retry) this.unusable.delete(hash);
    if (this.unusable.has(hash)) return false;
    try {
      this.embeddings.add(await this.loadStored(hash));
      return true;
    } catch (error) {
      this.unusable.add(hash);
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(`the model ${hash.slice(0, 12)} cannot be used by this service: ${reason}`);
      return false;
    }
  }

  private async loadStored(hash: string): Promise<Encoder> {
    const isOwn = hash === this.own.model.hash;
    const folder = await this.folder(hash);
    if (folder === undefined) throw new Error('its files are not in DATA_DIR/models');
    const generation = await this.generations.find(hash);
    const encoder = await this.load(folder, isOwn ? this.own.model.name : (generation?.name ?? 'unknown'));
    if (encoder.model.hash === hash) return encoder;
    await encoder.close();
    throw new Error(`the files in ${folder} were changed: they are of the model ${encoder.model.hash}`);
  }
}

export const unknownModel = (hash: string) =>
  new Problem('model_not_found', `There is no model with the hash ${hash.slice(0, 80)}.`);
