/**
 * One tower as an ONNX model in ONNX Runtime: its inputs and outputs are read from its metadata, since published
 * models differ (with and without attention_mask; int64 or int32 ids; image_embeds or pooler_output).
 *
 * Shape letters: B batch, E embedding.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ClipError } from '../errors.js';
import { fromHalf, toHalf } from './half.js';

/** An input of a run, row-major. */
export interface Feed {
  data: Float32Array | Int32Array;
  shape: readonly number[];
}

/** The rows of a result. */
export interface Rows {
  data: Float32Array;
  /** E */
  width: number;
}

/** An ONNX model with one output of interest of shape [B, E]. */
export class OnnxModel {
  private constructor(
    private readonly path: string,
    private readonly session: InferenceSession,
    private readonly output: string,
  ) {}

  /**
   * Loads a model.
   * @param inputs names it must take
   * @param outputs names to look for, best first
   * @throws ClipError ONNX_INVALID
   */
  static async load(
    path: string,
    inputs: readonly string[],
    outputs: readonly string[],
    options: InferenceSession.SessionOptions,
  ): Promise<OnnxModel> {
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(path, options);
    } catch (cause) {
      throw invalid(path, 'cannot be loaded by ONNX Runtime', {
        found: firstLine(cause),
        hint: 'Export or download the model again',
        cause,
      });
    }
    const missing = inputs.filter((name) => !session.inputNames.includes(name));
    if (missing.length > 0) {
      throw invalid(path, `does not take ${missing.join(', ')}`, { found: session.inputNames.join(', ') });
    }
    const output = outputs.find((name) => session.outputNames.includes(name));
    if (output === undefined) {
      throw invalid(path, 'does not give embeddings', {
        expected: outputs.join(' or '),
        found: session.outputNames.join(', '),
      });
    }
    return new OnnxModel(path, session, output);
  }

  takes(input: string): boolean {
    return this.session.inputNames.includes(input);
  }

  /** The sizes of an input; undefined where a size is dynamic. */
  inputShape(input: string): (number | undefined)[] {
    const meta = this.session.inputMetadata.find(({ name }) => name === input);
    if (meta?.isTensor !== true) throw invalid(this.path, `has no tensor input ${input}`, {});
    return meta.shape.map((size) => (typeof size === 'number' && size > 0 ? size : undefined));
  }

  /** The size of the embeddings, when the model states it. */
  get embeddingSize(): number | undefined {
    const meta = this.session.outputMetadata.find(({ name }) => name === this.output);
    const size = meta?.isTensor === true ? meta.shape.at(-1) : undefined;
    return typeof size === 'number' && size > 0 ? size : undefined;
  }

  /**
   * Runs the model.
   * @param feeds row-major values; integers are converted to the type that the model declares
   * @throws ClipError ONNX_INVALID when the result is not [B, E]
   */
  async run(feeds: Readonly<Record<string, Feed>>): Promise<Rows> {
    const tensors: Record<string, Tensor> = {};
    for (const [name, { data, shape }] of Object.entries(feeds)) {
      tensors[name] =
        data instanceof Float32Array ? this.floats(name, data, shape) : this.integers(name, data, shape);
    }
    let result: Tensor;
    try {
      result = (await this.session.run(tensors, [this.output]))[this.output]!;
    } catch (cause) {
      throw invalid(this.path, 'failed on its input', { found: firstLine(cause), cause });
    }
    const { dims } = result;
    const data = result.type === 'float16' ? fromHalf(result.data) : result.data;
    if (dims.length !== 2 || !(data instanceof Float32Array)) {
      throw invalid(this.path, `gives ${this.output} in a form that cannot be used`, {
        expected: 'float32 [batch, size]',
        found: `${result.type} [${dims.join(', ')}]`,
      });
    }
    return { data, width: dims[1]! };
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  private floats(name: string, data: Float32Array, shape: readonly number[]): Tensor {
    const meta = this.session.inputMetadata.find((input) => input.name === name);
    if (meta?.isTensor === true && meta.type === 'float16') return new Tensor('float16', toHalf(data), shape);
    return new Tensor(data, shape);
  }

  private integers(name: string, data: Int32Array, shape: readonly number[]): Tensor {
    const meta = this.session.inputMetadata.find((input) => input.name === name);
    if (meta?.isTensor === true && meta.type === 'int32') return new Tensor(data, shape);
    return new Tensor('int64', BigInt64Array.from(data, BigInt), shape);
  }
}

function invalid(path: string, what: string, details: ConstructorParameters<typeof ClipError>[2]): ClipError {
  return new ClipError('ONNX_INVALID', `the model ${path} ${what}`, details);
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0]!;
}
