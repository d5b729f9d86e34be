/**
 * Reads a safetensors file tensor by tensor. Opening reads the header only; a read holds the one tensor
 * asked for and, when it converts, a block of at most 4 MiB besides.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ClipError, isSystemError } from '../errors.js';
import { convertToFloat32, DTYPE_BYTES } from './dtype.js';
import {
  elementCount,
  invalidFile,
  MAX_HEADER_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from './header.js';

const BLOCK_BYTES = 4 << 20;
/** One read call takes at most 2 GiB − 1. */
const MAX_READ_BYTES = 1 << 30;

/** An open safetensors file; close it when done. */
export class SafetensorsFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly header: SafetensorsHeader,
  ) {}

  /**
   * Opens a file and checks its header.
   * @throws ClipError CHECKPOINT_NOT_FOUND when it is not there, SAFETENSORS_INVALID when it is malformed
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const handle = await openForReading(path);
    try {
      const status = await handle.stat();
      if (!status.isFile()) throw invalidFile(path, 'not a regular file');
      const fileLength = status.size;
      if (fileLength < 8)
        throw invalidFile(path, 'too short for a header', {
          expected: 'at least 8 bytes',
          found: `${fileLength}`,
        });
      const prefix = Buffer.alloc(8);
      await readFully(path, handle, prefix, 0);
      const headerLength = prefix.readBigUInt64LE(0);
      if (headerLength > BigInt(MAX_HEADER_BYTES) || headerLength > BigInt(fileLength - 8)) {
        throw invalidFile(path, 'the length of the header is out of range', {
          expected: `at most ${Math.min(MAX_HEADER_BYTES, fileLength - 8)} bytes`,
          found: `${headerLength}`,
        });
      }
      const json = Buffer.alloc(Number(headerLength));
      await readFully(path, handle, json, 8);
      return new SafetensorsFile(path, handle, parseHeader(path, json, fileLength));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The free-form strings of the header. */
  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata;
  }

  /** Name → type, shape and place of each tensor, in the order of the data. */
  get tensors(): ReadonlyMap<string, TensorInfo> {
    return this.header.tensors;
  }

  /**
   * Reads a tensor as float32, row-major, whatever its stored type
   * (F64, I64 and I32 are rounded to the nearest float32).
   * @throws ClipError SAFETENSORS_TENSOR_NOT_FOUND
   */
  async readFloat32(name: string): Promise<Float32Array> {
    const { dtype, shape, byteOffset, byteLength } = this.info(name);
    const out = new Float32Array(elementCount(shape));
    if (dtype === 'F32') {
      await readFully(this.path, this.handle, new Uint8Array(out.buffer), byteOffset);
      return out;
    }
    const block = new Uint8Array(Math.min(BLOCK_BYTES, byteLength));
    for (let done = 0; done < byteLength; done += block.byteLength) {
      const part = block.subarray(0, Math.min(block.byteLength, byteLength - done));
      await readFully(this.path, this.handle, part, byteOffset + done);
      convertToFloat32(part, dtype, out, done / DTYPE_BYTES[dtype]);
    }
    return out;
  }

  /**
   * Reads a tensor's bytes as stored. The buffer is freshly allocated and aligned for any element type.
   * @throws ClipError SAFETENSORS_TENSOR_NOT_FOUND
   */
  async readBytes(name: string): Promise<Uint8Array> {
    const { byteOffset, byteLength } = this.info(name);
    const bytes = new Uint8Array(byteLength);
    await readFully(this.path, this.handle, bytes, byteOffset);
    return bytes;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private info(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info !== undefined) return info;
    const names = [...this.tensors.keys()];
    throw new ClipError(
      'SAFETENSORS_TENSOR_NOT_FOUND',
      `${this.path} has no tensor ${JSON.stringify(name)}`,
      {
        found: `${names.length} tensors: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
      },
    );
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT'))
      throw new ClipError('CHECKPOINT_NOT_FOUND', `no file ${path}`, { cause });
    throw cause;
  }
}

/** Fills `target` from byte `position` of the file on. */
async function readFully(
  path: string,
  handle: FileHandle,
  target: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(MAX_READ_BYTES, target.byteLength - done);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) {
      throw invalidFile(path, 'the file became shorter while it was read', {
        expected: `${target.byteLength} bytes at ${position}`,
        found: `${done}`,
      });
    }
    done += bytesRead;
  }
}
