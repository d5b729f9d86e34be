# The API alone: no trainer, no TensorFlow.js, no compiler in the final image.
#   docker build -t clip-ts-api .
#   docker run -p 127.0.0.1:3000:3000 -v $PWD/runs/photos/checkpoint:/checkpoint:ro -v clip-data:/data clip-ts-api

FROM node:22-bookworm-slim AS tools
# hnswlib-node is compiled on installation.
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# Everything needed to compile TypeScript.
FROM tools AS build
COPY . .
RUN npm ci --ignore-scripts && npm run build

# What the API needs to run, and nothing else. npm wants the manifests of all workspaces.
FROM tools AS dependencies
COPY package.json package-lock.json .npmrc ./
COPY apps/api/package.json apps/api/
COPY apps/trainer/package.json apps/trainer/
COPY libs/clip/package.json libs/clip/
COPY libs/ort-native/package.json libs/ort-native/
COPY libs/tfjs-onnxruntime/package.json libs/tfjs-onnxruntime/
RUN npm ci --ignore-scripts --omit=dev --workspace apps/api && npm rebuild hnswlib-node

FROM node:22-bookworm-slim
# The allocator of glibc keeps what image decoders have freed; these make it give that back (docs/api.md).
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 CLIP_CHECKPOINT=/checkpoint DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app ./
COPY --from=build /app/apps/api/dist apps/api/dist
COPY apps/api/public apps/api/public
COPY prisma/migrations prisma/migrations
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node is process 1: it handles SIGTERM itself and finishes running requests.
CMD ["node", "apps/api/dist/main.js"]
