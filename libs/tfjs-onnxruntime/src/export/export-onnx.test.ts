import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelProto } from '../onnx/descriptor.js';
import { exportOnnx } from '../index.js';
import { toHalf } from './half-weights.js';

interface Decoded {
  opsetImport: { domain: string; version: number }[];
  metadataProps: { key: string; value: string }[];
  graph: { node: { opType: string; domain: string }[] };
}
const decode = (model: Uint8Array): Decoded =>
  ModelProto.toObject(ModelProto.decode(model), { longs: Number }) as Decoded;

/** A small text tower: embeddings, positions, attention with a padding mask, pooling. */
function textTower(D: number) {
  const table = tf.tensor(
    Float32Array.from({ length: 11 * D }, (_, i) => Math.sin(i)),
    [11, D],
  );
  const positions = tf.tensor(
    Float32Array.from({ length: 40 * D }, (_, i) => Math.cos(i)),
    [40, D],
  );
  const w = tf.tensor(
    Float32Array.from({ length: D * D }, (_, i) => Math.sin(3 * i) / 3),
    [D, D],
  );
  return (inputs: tf.NamedTensorMap) => {
    const ids = inputs.input_ids as tf.Tensor2D;
    const [B, T] = ids.shape;
    const where = tf.gather(positions, tf.range(0, T, 1, 'int32'));
    const x = tf.add(tf.gather(table, ids), where);
    const mask = tf.mul(tf.sub(1, tf.cast(inputs.attention_mask!, 'float32')), -1e9);
    const rows = tf.reshape(tf.matMul(tf.reshape(x, [B * T, D]), w), [B, T, D]);
    const y = tf
      .engine()
      .runKernel(
        'FusedAttention',
        { query: rows, key: x, value: x, mask: tf.reshape(mask, [B, 1, 1, T]) },
        { numHeads: 2, scale: 0.5 },
      ) as unknown as tf.Tensor;
    const first = tf.reshape(tf.slice(y, [0, 0, 0], [B, 1, D]), [B, D]);
    return { text_embeds: tf.div(first, tf.norm(first, 2, 1, true)), hidden: y };
  };
}
const textSpec = {
  inputs: {
    input_ids: { shape: ['batch', 'sequence'], dtype: 'int64' as const },
    attention_mask: { shape: ['batch', 'sequence'], dtype: 'int64' as const },
  },
};

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

describe('exportOnnx', () => {
  it('equals the function at every batch size and sequence length', async () => {
    const tower = textTower(8);
    const model = await exportOnnx(tower, { ...textSpec, metadata: { origin: 'test' } });
    const session = await InferenceSession.create(model);
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask']);
    expect(session.outputNames).toEqual(['text_embeds', 'hidden']);
    for (const [B, T] of [
      [1, 1],
      [4, 9],
      [3, 31],
    ] as const) {
      const ids = Array.from({ length: B * T }, (_, i) => (i * 7) % 11);
      const mask = ids.map((_, i) => (i % T < Math.max(1, T - 2) ? 1 : 0));
      const int64 = (values: number[]) => new Tensor('int64', BigInt64Array.from(values, BigInt), [B, T]);
      const found = await session.run({ input_ids: int64(ids), attention_mask: int64(mask) });
      const expected = tf.tidy(() =>
        tower({
          input_ids: tf.tensor2d(ids, [B, T], 'int32'),
          attention_mask: tf.tensor2d(mask, [B, T], 'int32'),
        }).text_embeds.dataSync(),
      );
      expect(found.text_embeds!.dims).toEqual([B, 8]);
      expect(found.hidden!.dims).toEqual([B, T, 8]);
      expected.forEach((v, i) => {
        expect(found.text_embeds!.data[i]).toBeCloseTo(v, 4);
      });
    }
  });

  it.each([3, 4, 5, 8, 11])('traces no more than the limit of an axis: %i', async (limit) => {
    const traced: number[] = [];
    const tower = textTower(8);
    const model = await exportOnnx(
      (inputs) => {
        traced.push(inputs.input_ids!.shape[1]!);
        return tower(inputs);
      },
      { ...textSpec, limits: { sequence: limit } },
    );
    expect(Math.max(...traced)).toBeLessThanOrEqual(limit);
    expect(new Set(traced).size).toBe(3);
    const session = await InferenceSession.create(model);
    const ids = new Tensor(
      'int64',
      BigInt64Array.from({ length: limit }, (_, i) => BigInt(i % 11)),
      [1, limit],
    );
    const mask = new Tensor('int64', new BigInt64Array(limit).fill(1n), [1, limit]);
    expect((await session.run({ input_ids: ids, attention_mask: mask })).hidden!.dims).toEqual([1, limit, 8]);
  });

  it('refuses an axis with fewer sizes than it takes to tell how a shape depends on it', async () => {
    await expect(exportOnnx(textTower(8), { ...textSpec, limits: { sequence: 2 } })).rejects.toThrow(
      'the axis sequence has the limit 2',
    );
  });

  it('uses ops of the ONNX domain only and declares its opset', async () => {
    const { opsetImport, graph, metadataProps } = decode(
      await exportOnnx(textTower(8), { ...textSpec, metadata: { origin: 'test' } }),
    );
    expect(opsetImport).toEqual([expect.objectContaining({ version: 20 })]);
    expect(graph.node.every((n) => !n.domain)).toBe(true);
    expect(metadataProps).toEqual([{ key: 'origin', value: 'test' }]);
  });

  it('names the op when JavaScript made a constant from a dynamic size', async () => {
    const failing = exportOnnx(
      ({ x }) => ({
        y: tf.add(
          x!,
          tf.tensor(
            Float32Array.from({ length: x!.shape[0] }, (_, i) => i),
            [x!.shape[0], 1],
          ),
        ),
      }),
      { inputs: { x: { shape: ['batch', 2], dtype: 'float32' } } },
    );
    await expect(failing).rejects.toMatchObject({ code: 'DYNAMIC_AXIS', kernel: 'Add' });
  });

  it('keeps weights in half precision on request', async () => {
    const w = tf.tensor(
      Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i)),
      [64, 64],
    );
    const f = ({ x }: tf.NamedTensorMap) => ({ y: tf.matMul(x as tf.Tensor2D, w) });
    const inputs = { x: { shape: ['batch', 64], dtype: 'float32' as const } };
    const full = await exportOnnx(f, { inputs });
    const half = await exportOnnx(f, { inputs, precision: 'fp16' });
    expect(half.byteLength).toBeLessThan(0.55 * full.byteLength);
  });

  it('rounds to half precision as IEEE 754 says', () => {
    const cases: [number, number][] = [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [65520, 0x7c00],
      [Infinity, 0x7c00],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [2 ** -25, 0],
      [1 + 2 ** -11, 0x3c00],
      [1 + 3 * 2 ** -11, 0x3c02],
      [0.1, 0x2e66],
    ];
    for (const [x, expected] of cases) expect(toHalf(x), String(x)).toBe(expected);
    expect(toHalf(NaN) & 0x7c00).toBe(0x7c00);
    expect(toHalf(NaN) & 0x3ff).not.toBe(0);
  });
});
