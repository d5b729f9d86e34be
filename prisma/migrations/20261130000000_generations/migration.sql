-- Embeddings become rows of (image, model), so that a new model is prepared beside the one that answers.
-- The old table keeps its embeddings, which are most of its bytes; the other columns move to a new one.
ALTER TABLE "images" RENAME TO "embeddings";

ALTER TABLE "embeddings" DROP CONSTRAINT "images_pkey";

DROP INDEX "images_key_key";

DROP INDEX "images_revision_idx";

DROP INDEX "images_embedding_model_idx";

DROP INDEX "images_tags_idx";

CREATE TABLE "images" (
    "id" TEXT NOT NULL,
    "key" INTEGER NOT NULL DEFAULT nextval('images_key_seq'),
    "revision" INTEGER NOT NULL,
    "media_type" TEXT NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "file_name" TEXT,
    "captions" TEXT[],
    "tags" TEXT[],
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "images_pkey" PRIMARY KEY ("id")
);

INSERT INTO "images" ("id", "key", "revision", "media_type", "width", "height", "bytes", "file_name", "captions", "tags", "created_at")
SELECT "id", "key", "revision", "media_type", "width", "height", "bytes", "file_name", "captions", "tags", "created_at"
FROM "embeddings";

ALTER SEQUENCE "images_key_seq" OWNED BY "images"."key";

CREATE UNIQUE INDEX "images_key_key" ON "images"("key");

CREATE INDEX "images_revision_idx" ON "images"("revision");

CREATE INDEX "images_tags_idx" ON "images" USING GIN ("tags");

ALTER TABLE "embeddings"
    ALTER COLUMN "key" DROP DEFAULT,
    DROP COLUMN "id",
    DROP COLUMN "media_type",
    DROP COLUMN "width",
    DROP COLUMN "height",
    DROP COLUMN "bytes",
    DROP COLUMN "file_name",
    DROP COLUMN "captions",
    DROP COLUMN "tags",
    DROP COLUMN "created_at";

ALTER TABLE "embeddings" RENAME COLUMN "embedding_model" TO "model";

-- One row for each model: what it is, how far it is, and who builds it.
CREATE TABLE "generations" (
    "model" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "embedding_size" INTEGER NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completed_at" TIMESTAMP(3),
    "retired_at" TIMESTAMP(3),
    "discarded_at" TIMESTAMP(3),
    "builder" TEXT,
    "lease_until" TIMESTAMPTZ(3),

    CONSTRAINT "generations_pkey" PRIMARY KEY ("model")
);

INSERT INTO "generations" ("model", "name", "embedding_size")
SELECT "model", 'unknown', max(octet_length("embedding")) / 4 FROM "embeddings" GROUP BY "model";

ALTER TABLE "embeddings"
    ADD CONSTRAINT "embeddings_pkey" PRIMARY KEY ("key", "model"),
    ADD CONSTRAINT "embeddings_key_fkey" FOREIGN KEY ("key") REFERENCES "images"("key") ON DELETE CASCADE ON UPDATE CASCADE,
    ADD CONSTRAINT "embeddings_model_fkey" FOREIGN KEY ("model") REFERENCES "generations"("model") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE INDEX "embeddings_model_revision_idx" ON "embeddings"("model", "revision");

-- Which generation answers, which one is being built to follow it, and the checkpoint that the last start named.
ALTER TABLE "collection"
    ADD COLUMN "active_model" TEXT,
    ADD COLUMN "next_model" TEXT,
    ADD COLUMN "checkpoint_model" TEXT;

UPDATE "collection" SET "active_model" = (
    SELECT "model" FROM "embeddings" GROUP BY "model" ORDER BY count(*) DESC LIMIT 1
);

UPDATE "generations" SET "completed_at" = CURRENT_TIMESTAMP
WHERE "model" = (SELECT "active_model" FROM "collection" WHERE "id" = 1);
