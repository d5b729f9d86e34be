import type { ImageProcessor } from '@clip-ts/clip';
export const resolveModelFolder = async (folder: string, _options?: unknown): Promise<string> => folder;
export class ClipEncoder {
  static async load(_folder: string): Promise<ClipEncoder> {
    return new ClipEncoder();
  }
  async encodePixelValues(_p: Float32Array[]): Promise<Float32Array[]> {
    return [];
  }
  async encodeTexts(_t: string[]): Promise<Float32Array[]> {
    return [];
  }
  async dispose(): Promise<void> {}
}
export type X = ImageProcessor;
