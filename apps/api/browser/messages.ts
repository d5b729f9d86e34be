/** The messages between the page of the demo and its worker. */
import type { LabelCalibration, RankedLabel } from '@clip-ts/clip/browser';

/** Where a model comes from. */
export type ModelSource =
  | {
      /** The checkpoint of the service: what GET demo/model answers. */
      kind: 'own';
      hash: string;
      name: string;
      precision: Precision;
      /** Paths below `files` + hash. */
      files: string[];
      scoring: { logitScale: number; logitBias?: number; labelCalibration?: LabelCalibration };
      /** Sent as X-API-Key, to the service only. */
      apiKey?: string;
    }
  | {
      /** A repository of the Hugging Face hub. */
      kind: 'hub';
      id: string;
      precision?: Precision;
    };

/** As the files of a checkpoint are named; transformers.js calls it dtype. */
export type Precision = 'fp32' | 'fp16' | 'q8' | 'int8' | 'uint8';

export type Device = 'webgpu' | 'wasm';

/** What the labels are to be scored by; as the parameters of POST /classify. */
export interface Labels {
  labels: string[];
  /** With {} where the label goes, or names of sets of templates: a label is the mean over all. */
  templates: string[];
  multiLabel: boolean;
  background: boolean;
}

export type Request =
  | { kind: 'load'; source: ModelSource; device?: Device }
  /** A file, or a frame of a camera, which is handed over. It replaces an image that still waits. */
  | { kind: 'image'; image: Blob | ImageBitmap }
  | { kind: 'labels'; labels: Labels };

export type Reply =
  | { kind: 'progress'; loaded: number; total: number }
  /** `note`: why it is not the faster device. */
  | { kind: 'ready'; name: string; device: Device; threads: number; note?: string }
  /** `version`: how many images and labels the worker had been given. */
  | { kind: 'scores'; scores: RankedLabel[]; milliseconds: number; version: number }
  /** The newest image or labels cannot be used. */
  | { kind: 'refused'; message: string; version: number }
  /** There is no model. */
  | { kind: 'failed'; message: string };
