/** The worker of the demo: holds the model, and works on the newest image and labels that it was given. */
import { JpegDecoder } from '@clip-ts/clip/browser';
import { Classifier } from './classifier.js';
import { useDecoded } from './decode.js';
import type { Labels, Reply, Request } from './messages.js';
import { loadModel, messageOf, type Model } from './model.js';

/** Where the service serves ONNX Runtime; set when this file is bundled. */
declare const LIBRARIES: string;

const jpeg = new JpegDecoder();
let loaded: { model: Model; classifier: Classifier } | undefined;
let waiting: Blob | ImageBitmap | undefined;
let labels: Labels | undefined;
/** Of the newest image and labels, so that older work can tell that it is outdated. */
let version = 0;
let imageEmbed: Float32Array | undefined;
let isWorking = false;

const reply = (message: Reply) => self.postMessage(message);

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  switch (data.kind) {
    case 'load':
      load(data).catch((error: unknown) => reply({ kind: 'failed', message: messageOf(error) }));
      break;
    case 'image':
      if (waiting instanceof ImageBitmap) waiting.close();
      waiting = data.image;
      version++;
      work();
      break;
    case 'labels':
      labels = data.labels;
      version++;
      work();
      break;
  }
});

async function load({ source, device }: Extract<Request, { kind: 'load' }>): Promise<void> {
  const libraries = new URL(LIBRARIES, self.location.href);
  const model = await loadModel(source, device, libraries, (loaded, total) =>
    reply({ kind: 'progress', loaded, total }),
  );
  loaded = { model, classifier: new Classifier(model) };
  reply({ kind: 'ready', name: model.name, device: model.device, threads: model.threads, note: model.note });
  work();
}

function work(): void {
  if (isWorking) return;
  isWorking = true;
  const tried = version;
  catchUp()
    .catch((error: unknown) => reply({ kind: 'refused', message: messageOf(error), version: tried }))
    .finally(() => {
      isWorking = false;
      if (tried !== version && waiting !== undefined) work();
    });
}

/** Until the newest image and labels have their scores. */
async function catchUp(): Promise<void> {
  for (let done = -1; done !== version && loaded !== undefined;) {
    const [now, start] = [version, performance.now()];
    const { model, classifier } = loaded;
    if (waiting !== undefined) {
      const image = waiting;
      waiting = undefined;
      imageEmbed = undefined;
      imageEmbed = await useDecoded(image, jpeg, (pixels) => model.encodeImage(pixels));
    }
    if (imageEmbed === undefined || labels === undefined) return;
    // Messages are taken between two runs of the model, which is when newer labels become known.
    const scores = await classifier.rank(imageEmbed, labels, () => version !== now);
    if (scores === undefined) continue;
    reply({ kind: 'scores', scores, milliseconds: performance.now() - start, version: now });
    done = now;
  }
}
