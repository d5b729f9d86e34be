-- Who runs an import job, and until when: services that share a database do not run the same job.
ALTER TABLE "import_jobs" ADD COLUMN "runner" TEXT;
ALTER TABLE "import_jobs" ADD COLUMN "lease_until" TIMESTAMPTZ(3);
