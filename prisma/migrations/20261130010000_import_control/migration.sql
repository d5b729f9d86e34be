-- Imports can be paused and cancelled, and say what happens to images that are there already.
ALTER TYPE "import_status" ADD VALUE 'paused';

ALTER TYPE "import_status" ADD VALUE 'cancelled';

CREATE TYPE "on_duplicate" AS ENUM ('skip', 'merge', 'replace');

ALTER TABLE "import_jobs" ADD COLUMN "on_duplicate" "on_duplicate" NOT NULL DEFAULT 'merge';

-- Which batch of which import added an image: a batch that was cut off before it was counted is counted right.
ALTER TABLE "images" ADD COLUMN "added_by" TEXT;
