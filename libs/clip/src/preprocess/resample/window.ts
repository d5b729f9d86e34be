/** A part of the output, in pixels. */
export interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Pixels [height, width, 3] whose rows may lie farther apart: a part of an image. */
export interface SourceImage {
  data: Uint8Array;
  width: number;
  height: number;
  /** Pixels from the start of a row to that of the next; the width when not given. */
  stride?: number;
}
