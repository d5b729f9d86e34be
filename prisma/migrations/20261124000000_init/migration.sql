-- Images with their embeddings, the log of deletions, the collection's revision, import jobs.
CREATE TYPE "import_format" AS ENUM ('auto', 'coco', 'folder');

CREATE TYPE "import_status" AS ENUM ('queued', 'running', 'done', 'failed');

CREATE TABLE "images" (
    "id" TEXT NOT NULL,
    "key" SERIAL NOT NULL,
    "revision" INTEGER NOT NULL,
    "media_type" TEXT NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "file_name" TEXT,
    "captions" TEXT[],
    "tags" TEXT[],
    "embedding" BYTEA NOT NULL,
    "embedding_model" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "images_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "images_key_key" ON "images"("key");

CREATE INDEX "images_revision_idx" ON "images"("revision");

CREATE INDEX "images_embedding_model_idx" ON "images"("embedding_model");

CREATE TABLE "deletions" (
    "key" INTEGER NOT NULL,
    "revision" INTEGER NOT NULL,

    CONSTRAINT "deletions_pkey" PRIMARY KEY ("key")
);

CREATE INDEX "deletions_revision_idx" ON "deletions"("revision");

CREATE TABLE "collection" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "revision" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "collection_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "collection_single_row" CHECK ("id" = 1)
);

INSERT INTO "collection" ("id", "revision") VALUES (1, 0);

CREATE TABLE "import_jobs" (
    "id" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "format" "import_format" NOT NULL,
    "split" TEXT,
    "max_images" INTEGER,
    "status" "import_status" NOT NULL DEFAULT 'queued',
    "total" INTEGER,
    "processed" INTEGER NOT NULL DEFAULT 0,
    "added" INTEGER NOT NULL DEFAULT 0,
    "duplicates" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "failures" JSONB NOT NULL DEFAULT '[]',
    "error" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMP(3),
    "finished_at" TIMESTAMP(3),

    CONSTRAINT "import_jobs_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "import_jobs_status_idx" ON "import_jobs"("status");
