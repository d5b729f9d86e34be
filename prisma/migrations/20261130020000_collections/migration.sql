-- Collections: named sets of images.
CREATE TABLE "collections" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "collections_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "collections_name_key" ON "collections"("name");

CREATE TABLE "collection_images" (
    "collection_id" TEXT NOT NULL,
    "key" INTEGER NOT NULL,

    CONSTRAINT "collection_images_pkey" PRIMARY KEY ("collection_id", "key"),
    CONSTRAINT "collection_images_collection_id_fkey" FOREIGN KEY ("collection_id") REFERENCES "collections"("id")
        ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "collection_images_key_fkey" FOREIGN KEY ("key") REFERENCES "images"("key")
        ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE INDEX "collection_images_key_idx" ON "collection_images"("key");
