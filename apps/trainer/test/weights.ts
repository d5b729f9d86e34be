/** What tests read out of checkpoints. */
import path from 'node:path';
import { SafetensorsFile } from '@clip-ts/clip';

/** All tensors of a checkpoint's model.safetensors. */
export async function weights(checkpoint: string): Promise<Map<string, Float32Array>> {
  const file = await SafetensorsFile.open(path.join(checkpoint, 'model.safetensors'));
  const tensors = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.readFloat32(name));
  await file.close();
  return tensors;
}
