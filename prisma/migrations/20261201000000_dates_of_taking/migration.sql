-- When images were taken, by the clock of the place. Nulls come last in both orders, so each has an index.
ALTER TABLE "images" ADD COLUMN "taken_at" TIMESTAMP(3);
ALTER TABLE "images" ADD COLUMN "taken_offset" SMALLINT;
ALTER TABLE "images" ADD COLUMN "taken_read" BOOLEAN NOT NULL DEFAULT false;

CREATE INDEX "images_taken_read_idx" ON "images"("key") WHERE NOT "taken_read";

CREATE INDEX "images_taken_at_key_idx" ON "images"("taken_at", "key");

CREATE INDEX "images_taken_at_key_desc_idx" ON "images"("taken_at" DESC NULLS LAST, "key" DESC);
