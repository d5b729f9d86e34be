/** Steps for CUDA consist of ops that ONNX Runtime's CUDA provider takes: one that it leaves to the CPU costs copies in each step. */
import { createDualEncoder, dualEncoderSpecs, initWeights } from '@clip-ts/clip/model';
import {
  asOneFunction,
  contrastiveProgram,
  float32,
  initialState,
  inputsOf,
  int32,
  intScalar,
  trainableNames,
  updateInputs,
} from '@clip-ts/clip/train';
import { DeviceFunction, hasNativeAddon, openComputeDevice, type HostTensor } from 'tfjs-onnxruntime';
import { describe, expect, it } from 'vitest';
import { selectBackend } from './select-backend.js';

/** What the provider took of the timed steps: `npm run gpu:placement` asks it, where its libraries are. */
const TAKEN = new Set(
  `Add And Cast Clip com.microsoft:FusedMatMul Concat Conv ConvTranspose CumSum Div Equal Erf Exp Expand Floor Gather Gelu Gemm
   Greater Identity IsNaN LayerNormalization Less Log MatMul Max Min Mod Mul Neg Not Pad Range Reciprocal ReduceMax ReduceMean
   ReduceSum ReduceSumSquare Reshape ScatterElements Sin Slice Softmax Split Sqrt Sub Tanh ThresholdedRelu Tile Transpose
   Where`.split(/\s+/),
);

const TOWER = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
const BERT = { model_type: 'bert', ...TOWER, vocab_size: 20, max_position_embeddings: 12 };
const ROBERTA = { ...BERT, model_type: 'roberta', pad_token_id: 1, max_position_embeddings: 16 };
const SWIN = {
  ...{ model_type: 'swin', image_size: 32, patch_size: 4, embed_dim: 8, depths: [2, 2], num_heads: [2, 2] },
  ...{ window_size: 4, mlp_ratio: 2, drop_path_rate: 0 },
};
/** The towers of bench shapes a, b and d, small. */
const PAIRS = [
  ['a', { model_type: 'vit', ...TOWER, image_size: 32, patch_size: 16 }, BERT],
  ['b', SWIN, ROBERTA],
  ['d', { model_type: 'mobilenet_v2', image_size: 32, depth_multiplier: 0.25 }, BERT],
] as const;

const [B, T] = [2, 6];
const PIXELS = float32(new Float32Array(B * 3 * 32 * 32).fill(0.5), [B, 3, 32, 32]);

describe.skipIf(!hasNativeAddon())('a step for CUDA', () => {
  it.each(PAIRS)(
    'of the towers of shape %s has only ops that the provider takes',
    async (_, vision, text) => {
      await selectBackend('onnxruntime');
      const model = createDualEncoder({
        model_type: 'vision-text-dual-encoder',
        vision_config: vision,
        text_config: text,
        projection_dim: 4,
        logit_scale_init_value: 2.6592,
      });
      const specs = dualEncoderSpecs(model).filter(({ dtype }) => dtype !== 'int64');
      const trainable = trainableNames(model, specs, { frozenTowers: false, learnTemperature: true });
      const adamw = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
      const options = { maxGradNorm: 1, frozenTowers: false, batchNorm: 'evaluation' } as const;
      const program = contrastiveProgram(model, trainable, { ...adamw, ...options });
      const step = new DeviceFunction(
        await openComputeDevice({ kind: 'cpu' }),
        asOneFunction(program),
        initialState(initWeights(specs, 1), trainable, false) as Record<string, HostTensor>,
        { precision: 'mixed' },
      );
      const inputs = {
        pixel_values: PIXELS,
        input_ids: int32(new Int32Array(B * T).fill(5), [B, T]),
        attention_mask: int32(new Int32Array(B * T).fill(1), [B, T]),
        seed: intScalar(0),
        ...updateInputs(1e-3, 0, adamw),
      };
      const { ops } = step.describe(inputsOf('step', inputs));
      step.dispose();
      const used = [...Object.keys(ops.step), ...Object.keys(ops.update)];
      expect(used.filter((op) => !TAKEN.has(op))).toEqual([]);
    },
  );
});
