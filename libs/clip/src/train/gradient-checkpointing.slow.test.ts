import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { estimateCost, hasNativeAddon, ReplayedFunction, type HostTensor } from 'tfjs-onnxruntime';
import { beforeAll, describe, expect, it } from 'vitest';
import { createDualEncoder, dualEncoderSpecs, initWeights } from '../model/index.js';
import { contrastiveProgram, type ContrastiveProgram } from './contrastive-program.js';
import { createEagerRunner } from './eager-runner.js';
import { float32, int32, intScalar, type HostTensors } from './host-tensor.js';
import { trainableNames } from './parameter-groups.js';
import { gradientSum, initialState } from './program-state.js';
import { asOneFunction, createReplayedRunner, inputsOf } from './replayed-runner.js';

const B = 3;
const T = 6;
const SIDE = 16;
const E = 8;

const rates = { hidden_dropout_prob: 0.3, attention_probs_dropout_prob: 0.2 };
const common = { hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 12 };
const images = { image_size: SIDE, patch_size: 4 };
const texts = { ...common, vocab_size: 20, max_position_embeddings: 16, initializer_range: 0.3 };

/** A pair of towers for every kind of block: transformers in both orders, windows, and convolutions. */
const PAIRS = {
  'vit and bert': [
    { model_type: 'vit', ...common, ...images, ...rates },
    { model_type: 'bert', ...texts, ...rates },
  ],
  'swin and mpnet, whose blocks share a learned bias': [
    {
      model_type: 'swin',
      ...images,
      patch_size: 2,
      embed_dim: 8,
      depths: [2, 2],
      num_heads: [2, 2],
      window_size: 2,
      ...rates,
      drop_path_rate: 0.5,
    },
    { model_type: 'mpnet', ...texts, ...rates },
  ],
  'mobilenet_v2 and clip': [
    { model_type: 'mobilenet_v2', image_size: SIDE, depth_multiplier: 0.25, initializer_range: 0.4 },
    {
      model_type: 'clip_text_model',
      ...texts,
      num_hidden_layers: 1,
      attention_dropout: 0.2,
      eos_token_id: 19,
    },
  ],
  'convnext and bert': [
    {
      model_type: 'convnext',
      image_size: SIDE,
      patch_size: 2,
      num_stages: 2,
      hidden_sizes: [8, 8],
      depths: [1, 2],
      drop_path_rate: 0.3,
      layer_scale_init_value: 0.5,
    },
    { model_type: 'bert', ...texts, num_hidden_layers: 1 },
  ],
  'resnet with the batch in its batch norm and bert': [
    {
      model_type: 'resnet',
      embedding_size: 8,
      hidden_sizes: [8, 16],
      depths: [1, 1],
      layer_type: 'basic',
    },
    { model_type: 'bert', ...texts, num_hidden_layers: 1 },
  ],
} as const;

type Pair = keyof typeof PAIRS;

/** The program of a pair and its first state. */
function programOf(pair: Pair, gradientCheckpointing: boolean) {
  const [vision_config, text_config] = PAIRS[pair];
  const model = createDualEncoder({
    model_type: 'vision-text-dual-encoder',
    vision_config,
    text_config,
    projection_dim: E,
    logit_scale_init_value: 2.6592,
  });
  const specs = dualEncoderSpecs(model);
  const trainable = trainableNames(model, specs, { frozenTowers: false, learnTemperature: true });
  const program = contrastiveProgram(model, trainable, {
    ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 },
    frozenTowers: false,
    batchNorm: pair.startsWith('resnet') ? 'training' : 'evaluation',
    gradientCheckpointing,
  });
  return { program, trainable, state: initialState(initWeights(specs, 1), trainable, true) };
}

const noise = (length: number, key: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * i + 78.233 * key));

/** A micro-batch with the gradients of its embeddings. */
const INPUTS = {
  pixel_values: float32(noise(B * 3 * SIDE * SIDE, 1), [B, 3, SIDE, SIDE]),
  input_ids: int32(
    Int32Array.from({ length: B * T }, (_, i) => (i % T === T - 1 ? 19 : 3 + ((7 * i) % 15))),
    [B, T],
  ),
  attention_mask: int32(
    Int32Array.from({ length: B * T }, (_, i) => Number(i % 7 !== 5)),
    [B, T],
  ),
  seed: intScalar(5),
  image_grads: float32(noise(B * E, 2), [B, E]),
  text_grads: float32(noise(B * E, 3), [B, E]),
};

type Open = (
  program: ContrastiveProgram,
  state: HostTensors,
) => ReturnType<typeof createEagerRunner<ContrastiveProgram>>;
const replayed =
  (native: boolean): Open =>
  (program, state) =>
    createReplayedRunner(
      program,
      new ReplayedFunction(asOneFunction(program), state as Record<string, HostTensor>, { native }),
    );
const RUNNERS: [name: string, backend: string, open: Open][] = [
  ['op by op', 'cpu', createEagerRunner],
  ['in ONNX Runtime', 'onnxruntime', replayed(false)],
  ...(hasNativeAddon()
    ? [['in the native addon', 'onnxruntime', replayed(true)] as [string, string, Open]]
    : []),
];

/** Sums of gradients, running statistics and the counts of batches in them, after one micro-batch. */
async function stateAfter(pair: Pair, checkpointing: boolean, open: Open): Promise<HostTensors> {
  const { program, trainable, state } = programOf(pair, checkpointing);
  const before = tf.memory().numTensors;
  const runner = open(program, state);
  await runner.run.accumulate(INPUTS);
  const statistics = pair.startsWith('resnet')
    ? /\.(running_mean|running_var|num_batches_tracked)$/
    : /\.(running_mean|running_var)$/;
  const names = Object.keys(state).filter((name) => statistics.test(name));
  const result = await runner.readState([...trainable.map(gradientSum), ...names]);
  runner.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return result;
}

describe.each(RUNNERS)('gradient checkpointing %s', (_, backend, open) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
  });

  it.each(Object.keys(PAIRS) as Pair[])('changes no gradient of %s, dropout included', async (pair) => {
    const plain = await stateAfter(pair, false, open);
    const checkpointed = await stateAfter(pair, true, open);
    const largestOf = ({ data }: HostTensors[string]) => Math.max(...Array.from(data, Math.abs));
    // Some gradients are 0 but for rounding: that of a key's bias, which moves all scores alike.
    const floor = 1e-2 * Math.max(...Object.values(plain).map(largestOf));
    let moved = 0;
    for (const [name, tensor] of Object.entries(plain)) {
      const largest = largestOf(tensor);
      moved += Number(largest > 0);
      const others = checkpointed[name]!.data;
      const worst = Math.max(...Array.from(tensor.data, (value, i) => Math.abs(value - others[i]!)));
      expect([name, worst / Math.max(largest, floor)]).toEqual([name, expect.closeTo(0, 4)]);
    }
    expect(moved).toBeGreaterThan(0.8 * Object.keys(plain).length);
  });
});

it.each(['vit and bert', 'mobilenet_v2 and clip'] as const)(
  'fewer values of a step are alive at once with gradient checkpointing: %s',
  (pair) => {
    const bytes = (checkpointing: boolean) => {
      const { program, state } = programOf(pair, checkpointing);
      const signature = ({ shape, dtype }: HostTensors[string]) => ({ shape, type: dtype as 'float32' });
      const signatures = (tensors: HostTensors) =>
        Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, signature(tensor)]));
      const inputs = signatures(inputsOf('accumulate', INPUTS));
      return estimateCost(asOneFunction(program), signatures(state), inputs).workingBytes;
    };
    expect(bytes(true)).toBeLessThan(0.8 * bytes(false));
  },
);
