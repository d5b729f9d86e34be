/**
 * A model in the browser: transformers.js runs its two ONNX models, on the GPU by WebGPU or else on the processor by
 * WebAssembly. Inputs are made and embeddings used by the code that does it on the server.
 *
 * Shape letters: B batch, T tokens, H height, W width, E embedding.
 */
import {
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  env,
  LogLevel,
  SiglipTextModel,
  SiglipVisionModel,
  Tensor,
  type PreTrainedModel,
} from '@huggingface/transformers';
import { maxTextTokens, readsPadding, unitVector, type RgbImage } from '@clip-ts/clip/browser';
import type { Device, ModelSource, Precision } from './messages.js';
import { readModelFiles, type ModelAddress, type ModelFiles } from './model-files.js';

export interface Model extends Omit<ModelFiles, 'processor' | 'tokenizer' | 'config'> {
  name: string;
  device: Device;
  threads: number;
  /** Why it is not on the faster device. */
  note?: string;
  /** Embedding [E] of decoded pixels, a unit vector. */
  encodeImage(image: RgbImage): Promise<Float32Array>;
  /** Embeddings [E] of texts, unit vectors. */
  encodeTexts(texts: readonly string[]): Promise<Float32Array[]>;
}

/** Bytes of a model's files: how many are here, of how many as far as is known. */
export type ReportProgress = (loaded: number, total: number) => void;

/** More threads than this gain little, and a visitor's machine has other things to do. */
const MAX_THREADS = 4;
const HUB = 'https://huggingface.co/';
/** Keeps the files of hub models and of the service's own between visits. */
const CACHE = 'clip-demo';

/**
 * Loads a model. `libraries` is the folder with ONNX Runtime's WebAssembly.
 * @param wanted the device; default: the GPU where there is one
 */
export async function loadModel(
  source: ModelSource,
  wanted: Device | undefined,
  libraries: URL,
  report: ReportProgress,
): Promise<Model> {
  const gpu = wanted === 'wasm' ? undefined : await findGpu();
  if (wanted === 'webgpu' && gpu === undefined)
    throw new Error('This browser offers no GPU to pages (WebGPU).');
  const threads = self.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency) : 1;
  const address = configureLibrary(source, libraries, gpu !== undefined, threads);
  await forgetOtherModels(source, address);
  const files = await readModelFiles(source, address, readJson);
  const open = (device: Device) => openTowers(source, address, files, device, report);
  let [device, note]: [Device, string | undefined] = [gpu === undefined ? 'wasm' : 'webgpu', undefined];
  let towers: Towers & { note?: string };
  try {
    towers = await open(device);
  } catch (error) {
    if (device === 'wasm' || wanted === 'webgpu') throw error;
    [device, note] = ['wasm', `The GPU could not be used: ${messageOf(error)}`];
    towers = await open('wasm');
  }
  const { scoring, labelCalibration } = files;
  const name = source.kind === 'hub' ? source.id : source.name;
  return {
    name,
    device,
    threads: device === 'wasm' ? threads : 1,
    note: [note, towers.note].filter(Boolean).join(' ') || undefined,
    scoring,
    labelCalibration,
    ...encoders(towers, files),
  };
}

async function findGpu(): Promise<unknown> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return (await gpu?.requestAdapter().catch(() => null)) ?? undefined;
}

/** Tells transformers.js where everything is: nothing comes from elsewhere than `source`. */
function configureLibrary(
  source: ModelSource,
  libraries: URL,
  hasGpu: boolean,
  threads: number,
): ModelAddress {
  // The build that can wait for a GPU is twice as large.
  const build = `ort-wasm-simd-threaded${hasGpu ? '.asyncify' : ''}`;
  const { wasm } = env.backends.onnx;
  if (wasm === undefined) throw new Error('transformers.js came without ONNX Runtime.');
  wasm.wasmPaths = {
    mjs: new URL(`${build}.mjs`, libraries).href,
    wasm: new URL(`${build}.wasm`, libraries).href,
  };
  wasm.numThreads = threads;
  // It warns of every model_type that it knows only as two towers.
  env.logLevel = LogLevel.ERROR;
  env.useWasmCache = false;
  env.cacheKey = CACHE;
  env.useBrowserCache = 'caches' in self;
  env.allowLocalModels = source.kind === 'own';
  env.allowRemoteModels = source.kind === 'hub';
  if (source.kind === 'hub') {
    env.remoteHost = HUB;
    return { id: source.id, url: `${HUB}${source.id}/resolve/main/` };
  }
  const { apiKey, hash } = source;
  const files = new URL('files/', self.location.href).pathname;
  env.localModelPath = files;
  env.fetch = (input, init) => {
    const headers = new Headers((init as RequestInit | undefined)?.headers);
    if (apiKey !== undefined) headers.set('X-API-Key', apiKey);
    return fetch(input, { ...(init as RequestInit), headers });
  };
  return { id: hash, url: `${files}${hash}/` };
}

/** What earlier models of the service left in the browser's cache. */
async function forgetOtherModels(source: ModelSource, { url }: ModelAddress): Promise<void> {
  if (source.kind !== 'own' || !('caches' in self)) return;
  const [cache, kept] = [await caches.open(CACHE), new URL(url, self.location.href).href];
  const files = kept.slice(0, kept.lastIndexOf('/', kept.length - 2) + 1);
  for (const { url } of await cache.keys())
    if (url.startsWith(files) && !url.startsWith(kept)) await cache.delete(url);
}

async function readJson(url: string): Promise<unknown> {
  const response = (await env.fetch(url).catch(() => {
    throw new Error(`${new URL(url, self.location.href).host} does not answer, or this page may not ask it.`);
  })) as Response;
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}.`);
  return response.json();
}

/** How the names of a precision's files end, before .onnx. */
const SUFFIX: Record<Precision, string> = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
};

/** The first of `precisions` in which both towers are published; the first of all where none is. */
async function publishedPrecision(url: string, precisions: readonly Precision[]): Promise<Precision> {
  for (const precision of precisions) {
    const files = ['vision_model', 'text_model'].map((name) => `${url}onnx/${name}${SUFFIX[precision]}.onnx`);
    if ((await Promise.all(files.map(isThere))).every(Boolean)) return precision;
  }
  return precisions[0]!;
}

/** Only a clear 404 is a no: whatever else is wrong, loading the file says it better. */
async function isThere(url: string): Promise<boolean> {
  try {
    const response = (await env.fetch(url, { headers: { Range: 'bytes=0-0' } })) as Response;
    await response.body?.cancel();
    return response.status !== 404;
  } catch {
    return true;
  }
}

interface Towers {
  vision: PreTrainedModel;
  text: PreTrainedModel;
}

async function openTowers(
  source: ModelSource,
  { id, url }: ModelAddress,
  { config }: ModelFiles,
  device: Device,
  report: ReportProgress,
): Promise<Towers & { note?: string }> {
  const isSiglip = config.model_type === 'siglip';
  const preferred: readonly Precision[] = device === 'wasm' ? ['q8', 'fp32', 'fp16'] : ['fp32', 'fp16', 'q8'];
  const dtype = source.precision ?? (await publishedPrecision(url, preferred));
  const files = new Map<string, { loaded: number; total: number }>();
  const options = {
    dtype,
    device,
    progress_callback: (event: { status: string; file?: string; loaded?: number; total?: number }) => {
      if (event.status !== 'progress' || event.file === undefined) return;
      files.set(event.file, { loaded: event.loaded ?? 0, total: event.total ?? 0 });
      const sum = (key: 'loaded' | 'total') => [...files.values()].reduce((all, file) => all + file[key], 0);
      report(sum('loaded'), sum('total'));
    },
  };
  const classes = isSiglip
    ? [SiglipVisionModel, SiglipTextModel]
    : [CLIPVisionModelWithProjection, CLIPTextModelWithProjection];
  const [vision, text] = await Promise.all(classes.map((one) => one.from_pretrained(id, options)));
  const towers = { vision: vision!, text: text! };
  if (source.precision !== undefined || dtype === preferred[0]) return towers;
  const bytes = [...files.values()].reduce((all, { total }) => all + total, 0);
  const note = `It is not published as ${preferred[0]!}; its ${dtype} files are used (${(bytes / 1e6).toFixed(1)} MB).`;
  return { ...towers, note };
}

function encoders({ vision, text }: Towers, { config, processor, tokenizer }: ModelFiles) {
  const { height, width } = processor;
  const fixedLength = fixedTextLength(text);
  const maxLength = Math.min(fixedLength ?? Infinity, tokenizer.maxLength, maxTextTokens(config));
  const padTo = fixedLength ?? (readsPadding(config) ? maxLength : undefined);
  return {
    async encodeImage(image: RgbImage): Promise<Float32Array> {
      const pixels = processor.normalize(processor.resize(image));
      const output = await run(vision, {
        pixel_values: new Tensor('float32', pixels, [1, 3, height, width]),
      });
      return rowsOf(output, 'image_embeds')[0]!;
    },
    async encodeTexts(texts: readonly string[]): Promise<Float32Array[]> {
      const { input_ids, attention_mask, shape } = tokenizer.encode(texts, {
        maxLength,
        padTo,
        splitSpecialTokens: true,
      });
      const tensor = (values: Int32Array) =>
        new Tensor('int64', BigInt64Array.from(values, BigInt), [...shape]);
      return rowsOf(
        await run(text, { input_ids: tensor(input_ids), attention_mask: tensor(attention_mask) }),
        'text_embeds',
      );
    },
  };
}

const run = (model: PreTrainedModel, inputs: Record<string, Tensor>): Promise<Record<string, Tensor>> =>
  model(inputs) as Promise<Record<string, Tensor>>;

/** T of a text model that takes texts of one length only. */
function fixedTextLength({ sessions }: PreTrainedModel): number | undefined {
  const session = sessions.model as
    { inputMetadata?: readonly { name: string; shape?: readonly (number | string)[] }[] } | undefined;
  const length = session?.inputMetadata?.find(({ name }) => name === 'input_ids')?.shape?.[1];
  return typeof length === 'number' && length > 0 ? length : undefined;
}

/** Unit vectors [B] of [E]. */
function rowsOf(output: Record<string, Tensor>, name: string): Float32Array[] {
  const rows: Tensor = (output[name] ?? output.pooler_output)!;
  const [B, E] = rows.dims as [number, number];
  const values = Float32Array.from(rows.data as Float32Array);
  return Array.from({ length: B }, (_, b) => unitVector(values.subarray(b * E, (b + 1) * E)));
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
