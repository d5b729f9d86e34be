/** The demo: images, labels and bars of a model that runs in a worker of this page. */
import { apiKey, callJson } from '../api.js';
import { byId, showStatus } from '../dom.js';
import { takeImages } from '../image-input.js';
import { startLabelSets } from '../label-sets.js';
import { EXAMPLE_LABELS, LABELS_KEY, bar, summary } from '../scores.js';
import { startCamera } from './camera.js';

/**
 * @typedef {import('../../browser/messages.js').Request} Request
 * @typedef {import('../../browser/messages.js').Reply} Reply
 * @typedef {import('../../browser/messages.js').ModelSource} ModelSource
 * @typedef {import('../../browser/messages.js').Device} Device
 */

/** Milliseconds after the last key before labels are scored. */
const PAUSE = 200;

const asked = new URLSearchParams(location.search);
const worker = new Worker('demo.worker.js', { type: 'module' });
const [modelStatus, status, bars] = [byId('model-status'), byId('demo-status'), byId('bars')];
const progress = /** @type {HTMLProgressElement} */ (byId('model-progress'));
const preview = /** @type {HTMLImageElement} */ (byId('preview'));
const labels = /** @type {HTMLTextAreaElement} */ (byId('labels'));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
let timer = 0;
/** How many images and labels the worker was given. */
let version = 0;
let hasImage = false;

/** @param {Request} request @param {Transferable[]} [transfer] */
function send(request, transfer = []) {
  worker.postMessage(request, transfer);
  if (request.kind === 'load') return;
  version++;
  bars.setAttribute('aria-busy', 'true');
}

const camera = startCamera({
  video: /** @type {HTMLVideoElement} */ (byId('video')),
  button: /** @type {HTMLButtonElement} */ (byId('camera')),
  frame: (image) => {
    hasImage = true;
    send({ kind: 'image', image }, [image]);
  },
  started: () => showOnly('video'),
  failed: (message) => showStatus(status, message, true),
});

const sets = startLabelSets({
  base: '../',
  changed: () => sendLabels(),
  failed: (error) =>
    showStatus(status, error instanceof Error ? error.message : 'Something went wrong.', true),
});

/** @param {File} image */
function use(image) {
  camera.stop();
  hasImage = true;
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(image);
  showOnly('preview');
  showStatus(
    status,
    modelStatus.dataset.ready === undefined ? 'The image is waiting for the model.' : 'Classifying…',
  );
  send({ kind: 'image', image });
}

/** @param {'preview' | 'video'} shown */
function showOnly(shown) {
  for (const id of ['preview', 'video', 'drop-hint']) byId(id).hidden = id !== shown;
}

function sendLabels() {
  const { labels: list, templates } = sets.read();
  if (list.length === 0) return showStatus(status, 'Write at least one label.', true);
  if (templates.some((template) => !template.includes('{}') && !/^clip-\d+$/.test(template)))
    return showStatus(status, 'Each template needs {} where the label goes.', true);
  sessionStorage.setItem(LABELS_KEY, labels.value);
  showStatus(status, hasImage ? 'Scoring…' : '');
  send({
    kind: 'labels',
    labels: {
      labels: list,
      templates,
      multiLabel: input('multi').checked,
      background: input('background').checked,
    },
  });
}

/** What the address asks for, or else the checkpoint of the service. @returns {Promise<ModelSource>} */
async function findSource() {
  const { hub, ...own } = await callJson('model').catch((error) => {
    if (error.code === 'demo_off')
      throw new Error('This server does not send its model to browsers (setting DEMO).');
    throw error;
  });
  const id = asked.get('model');
  if (id === null) return { kind: 'own', ...own, apiKey: apiKey() };
  if (!hub) throw new Error('This server does not allow models of the hub (setting DEMO_HUB).');
  if (!/^[\w.-]+\/[\w.-]+$/.test(id))
    throw new Error(`“${id}” is not a model id such as Xenova/clip-vit-base-patch32.`);
  return { kind: 'hub', id, precision: /** @type {any} */ (asked.get('precision') ?? undefined) };
}

async function load() {
  const source = await findSource();
  const device = /** @type {Device | null} */ (asked.get('device'));
  showStatus(modelStatus, `Loading ${source.kind === 'hub' ? source.id : source.name}…`);
  send({ kind: 'load', source, ...(device !== null && { device }) });
}

/** @param {Reply} reply */
function take(reply) {
  switch (reply.kind) {
    case 'progress':
      progress.hidden = false;
      progress.max = Math.max(reply.total, 1);
      progress.value = reply.loaded;
      showStatus(
        modelStatus,
        `Loading the model: ${megabytes(reply.loaded)} of ${megabytes(reply.total)} MB`,
      );
      break;
    case 'ready': {
      progress.hidden = true;
      modelStatus.dataset.ready = '';
      const threads = `${reply.threads} ${reply.threads === 1 ? 'thread' : 'threads'}`;
      const where =
        reply.device === 'webgpu' ? 'on the GPU (WebGPU)' : `on the processor (WebAssembly, ${threads})`;
      showStatus(modelStatus, [`${reply.name} runs ${where}.`, reply.note].filter(Boolean).join(' '));
      if (!hasImage) showStatus(status, 'Choose an image.');
      break;
    }
    case 'scores':
      bars.replaceChildren(...reply.scores.map(bar));
      bars.dataset.scores = JSON.stringify(reply.scores);
      showStatus(status, `${summary(reply.scores)} (${Math.round(reply.milliseconds)} ms)`);
      settle(reply.version);
      break;
    case 'refused':
      bars.replaceChildren();
      showStatus(status, reply.message, true);
      settle(reply.version);
      break;
    case 'failed':
      fail(reply.message);
      break;
  }
}

/** @param {number} answered the version that has its answer */
function settle(answered) {
  if (answered === version) bars.setAttribute('aria-busy', 'false');
  camera.next();
}

/** There is no model. @param {string} message */
function fail(message) {
  progress.hidden = true;
  showStatus(modelStatus, `The model cannot be loaded. ${message}`, true);
}

/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

worker.addEventListener('message', ({ data }) => take(data));
worker.addEventListener('error', ({ message }) => fail(message || 'The worker thread did not start.'));
labels.value = sessionStorage.getItem(LABELS_KEY) ?? EXAMPLE_LABELS;
for (const id of ['labels', 'template']) {
  byId(id).addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(sendLabels, PAUSE);
  });
}
for (const id of ['multi', 'background']) byId(id).addEventListener('change', sendLabels);
byId('demo-form').addEventListener('submit', (event) => event.preventDefault());
takeImages({ area: byId('drop'), file: input('demo-file'), isShown: () => true, use });
sendLabels();
load().catch((error) => fail(error.message));
