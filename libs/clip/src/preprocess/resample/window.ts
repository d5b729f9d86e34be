/** A part of the output, in pixels. */
export interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
}
