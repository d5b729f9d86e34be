/** Writes a safetensors file: streamed tensor by tensor, atomic, the same bytes for the same input. */
import { open, type FileHandle } from 'node:fs/promises';
import { ClipError } from '../errors.js';
import { writeFileAtomic } from '../files/index.js';
import { DTYPE_BYTES, isSafetensorsDtype, type SafetensorsDtype } from './dtype.js';
import { buildHeader, elementCount, METADATA_KEY } from './header.js';

const MAX_WRITE_BYTES = 1 << 30;

/** A tensor to write. `data` holds shape's elements, row-major; as a function it is called when the tensor is written. */
export interface TensorEntry {
  name: string;
  dtype: SafetensorsDtype;
  shape: readonly number[];
  data: ArrayBufferView | (() => Promise<ArrayBufferView>);
}

/**
 * Writes tensors to `path` through a temporary sibling; the file appears whole or not at all.
 * Give `data` as functions to copy a checkpoint with one tensor in memory at a time.
 * @throws ClipError SAFETENSORS_INVALID when a name is used twice or data does not fit its type and shape
 */
export async function writeSafetensors(
  path: string,
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const names = new Set<string>();
  for (const { name, dtype, shape } of entries) {
    if (names.has(name) || name === METADATA_KEY) {
      throw refuse(
        path,
        `the tensor name ${JSON.stringify(name)} is ${names.has(name) ? 'used twice' : 'reserved'}`,
      );
    }
    names.add(name);
    if (!isSafetensorsDtype(dtype))
      throw refuse(path, `tensor ${JSON.stringify(name)} has the unknown type ${JSON.stringify(dtype)}`);
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw refuse(path, `tensor ${JSON.stringify(name)} has the impossible shape [${shape.join(', ')}]`);
    }
  }
  const { ordered, bytes } = buildHeader(entries, metadata);
  await writeFileAtomic(path, async (temporary) => {
    const file = await open(temporary, 'wx');
    try {
      await writeFully(file, bytes);
      for (const { name, dtype, shape, data } of ordered) {
        const view = typeof data === 'function' ? await data() : data;
        const expected = elementCount(shape) * DTYPE_BYTES[dtype];
        if (view.byteLength !== expected) {
          throw refuse(
            path,
            `the data of tensor ${JSON.stringify(name)} does not fit ${dtype} [${shape.join(', ')}]: expected ${expected} bytes, found ${view.byteLength}`,
          );
        }
        await writeFully(file, new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      }
    } finally {
      await file.close();
    }
  });
}

function refuse(path: string, what: string): ClipError {
  return new ClipError('SAFETENSORS_INVALID', `cannot write ${path}: ${what}`);
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(
      bytes,
      done,
      Math.min(MAX_WRITE_BYTES, bytes.byteLength - done),
    );
    done += bytesWritten;
  }
}
