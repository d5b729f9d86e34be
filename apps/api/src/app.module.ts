/** Puts the features together around what was opened before: settings, database, encoder. */
import { Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, DiscoveryModule } from '@nestjs/core';
import { AccessGuard } from './access/access.guard.js';
import type { KeyRing } from './access/api-keys.js';
import { AuditInterceptor } from './access/audit.js';
import { ClassifyController } from './classify/classify.controller.js';
import { ClassifyService } from './classify/classify.service.js';
import { CollectionController } from './collections/collection.controller.js';
import { CollectionRepository } from './collections/collection.repository.js';
import { LabelSetController } from './label-sets/label-set.controller.js';
import { LabelSetRepository } from './label-sets/label-set.repository.js';
import type { Logger } from 'pino';
import type { Config } from './config/config.js';
import type { Database } from './database/database.js';
import { DemoController } from './demo/demo.controller.js';
import { EmbedController } from './embed/embed.controller.js';
import { EmbeddingService } from './encoder/embedding.service.js';
import { DecodeBudget } from './encoder/decode-budget.js';
import type { Encoder } from './encoder/encoder.js';
import { HealthController } from './health/health.controller.js';
import { ByteBudget } from './http/body/byte-budget.js';
import { QueryGuard } from './http/query.guard.js';
import { validationPipe } from './http/validation.js';
import { BuilderService } from './generations/builder.service.js';
import { GenerationController } from './generations/generation.controller.js';
import { GenerationRepository } from './generations/generation.repository.js';
import { GenerationService } from './generations/generation.service.js';
import type { LoadEncoder } from './generations/generation.service.js';
import { EmbeddingRepository } from './images/embedding.repository.js';
import { ImageController } from './images/image.controller.js';
import { ImageRepository } from './images/image.repository.js';
import { CollectionLock } from './images/collection-lock.js';
import { FileStore } from './images/file-store.js';
import { ImageIntake } from './images/image-intake.js';
import { ImageService } from './images/image.service.js';
import { OrphanSweepService } from './images/orphan-sweep.service.js';
import { SEARCH_INDEX } from './images/search-index.js';
import { TakenDatesService } from './images/taken-dates.service.js';
import { ImportController } from './imports/import.controller.js';
import { ImportRepository } from './imports/import.repository.js';
import { ImportEvents } from './imports/import.events.js';
import { ImportRunner } from './imports/import.runner.js';
import { ImportService } from './imports/import.service.js';
import { createMetrics } from './metrics/metrics.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { SearchController } from './search/search.controller.js';
import { SearchService } from './search/search.service.js';
import { SimilarController } from './search/similar.controller.js';
import { CONFIG, DATABASE, ENCODER, KEYS, LOAD_ENCODER, METRICS, MODEL } from './providers.js';
import { EMBEDDING_SOURCE } from './vector-index/embedding-source.js';
import { IndexService } from './vector-index/index.service.js';

/** What the application runs on; its opener closes it after the application. */
export interface Resources {
  config: Config;
  database: Database;
  encoder: Encoder;
  loadEncoder: LoadEncoder;
  logger: Logger;
  keys: KeyRing;
}

@Module({})
export class AppModule {
  static on({ config, database, encoder, loadEncoder, keys }: Resources): DynamicModule {
    return {
      module: AppModule,
      imports: [DiscoveryModule],
      controllers: [
        ClassifyController,
        SearchController,
        SimilarController,
        ImageController,
        CollectionController,
        LabelSetController,
        ImportController,
        EmbedController,
        GenerationController,
        DemoController,
        HealthController,
      ],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: DATABASE, useValue: database },
        { provide: ENCODER, useValue: encoder },
        { provide: LOAD_ENCODER, useValue: loadEncoder },
        { provide: KEYS, useValue: keys },
        { provide: METRICS, useValue: createMetrics() },
        { provide: APP_FILTER, useClass: ProblemFilter },
        AccessGuard,
        { provide: APP_GUARD, useExisting: AccessGuard },
        { provide: APP_GUARD, useClass: QueryGuard },
        { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
        { provide: APP_PIPE, useFactory: validationPipe },
        { provide: ByteBudget, useFactory: () => new ByteBudget(config.MAX_BYTES_IN_FLIGHT) },
        { provide: DecodeBudget, useFactory: () => new DecodeBudget(config.MAX_DECODE_BYTES) },
        EmbeddingService,
        {
          provide: MODEL,
          useFactory: (embeddings: EmbeddingService) => () => embeddings.model,
          inject: [EmbeddingService],
        },
        ImageRepository,
        EmbeddingRepository,
        { provide: EMBEDDING_SOURCE, useExisting: EmbeddingRepository },
        IndexService,
        { provide: SEARCH_INDEX, useExisting: IndexService },
        {
          provide: FileStore,
          useFactory: (memory: DecodeBudget) => new FileStore(config.DATA_DIR, memory),
          inject: [DecodeBudget],
        },
        CollectionLock,
        ImageIntake,
        ImageService,
        GenerationRepository,
        GenerationService,
        BuilderService,
        OrphanSweepService,
        TakenDatesService,
        CollectionRepository,
        LabelSetRepository,
        ImportRepository,
        ImportRunner,
        ImportService,
        ImportEvents,
        SearchService,
        ClassifyService,
      ],
    };
  }
}
