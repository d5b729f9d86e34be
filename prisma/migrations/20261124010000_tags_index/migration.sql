-- Search filtered by tags looks them up instead of reading every row.
CREATE INDEX "images_tags_idx" ON "images" USING GIN ("tags");
