/**
 * The wheels of TensorFlow 2.20, which unlike 2.15 has machine code for sm_89 and sm_90 (Hopper). The CUDA libraries are the
 * oldest of those that `tensorflow[and-cuda]` 2.20.0 takes: CUDA 12.5, cuDNN 9.3.
 */
import { TENSORFLOW_LIBRARIES } from './wheels.mjs';

const VERSION = '2.20.0';

/** @type {import('./wheels.mjs').Flavour} */
export const CPU_2_20 = {
  npmPackage: 'tfjs-node',
  tensorflow: {
    name: 'tensorflow-cpu',
    version: VERSION,
    sha256: 'cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780',
    libraries: TENSORFLOW_LIBRARIES,
  },
  cuda: [],
  gigabytes: 3,
};

/** @type {import('./wheels.mjs').Flavour} */
export const GPU_2_20 = {
  npmPackage: 'tfjs-node-gpu',
  tensorflow: {
    name: 'tensorflow',
    version: VERSION,
    sha256: '481499fd0f824583de8945be61d5e827898cdaa4f5ea1bc2cc28ca2ccff8229e',
    libraries: TENSORFLOW_LIBRARIES,
  },
  cuda: [
    {
      name: 'nvidia-cuda-runtime-cu12',
      version: '12.5.82',
      sha256: '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115',
      libraries: ['libcudart.so.12'],
    },
    {
      name: 'nvidia-cublas-cu12',
      version: '12.5.3.2',
      sha256: 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b',
      libraries: ['libcublas.so.12', 'libcublasLt.so.12'],
    },
    {
      name: 'nvidia-cudnn-cu12',
      version: '9.3.0.75',
      sha256: '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d',
      libraries: [
        'libcudnn.so.9',
        'libcudnn_adv.so.9',
        'libcudnn_cnn.so.9',
        'libcudnn_engines_precompiled.so.9',
        'libcudnn_engines_runtime_compiled.so.9',
        'libcudnn_graph.so.9',
        'libcudnn_heuristic.so.9',
        'libcudnn_ops.so.9',
      ],
    },
    {
      name: 'nvidia-cufft-cu12',
      version: '11.2.3.61',
      sha256: '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8',
      libraries: ['libcufft.so.11'],
    },
    {
      name: 'nvidia-curand-cu12',
      version: '10.3.6.82',
      sha256: '2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536',
      libraries: ['libcurand.so.10'],
    },
    {
      name: 'nvidia-cusolver-cu12',
      version: '11.6.3.83',
      sha256: '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
      libraries: ['libcusolver.so.11'],
    },
    {
      name: 'nvidia-cusparse-cu12',
      version: '12.5.1.3',
      sha256: '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752',
      libraries: ['libcusparse.so.12'],
    },
    {
      name: 'nvidia-nccl-cu12',
      version: '2.25.1',
      sha256: '362aed5963fb9ea2ed2f264409baae30143498fd0e5c503aeaa1badd88cdc54a',
      libraries: ['libnccl.so.2'],
    },
    {
      name: 'nvidia-nvjitlink-cu12',
      version: '12.5.82',
      sha256: 'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212',
      libraries: ['libnvJitLink.so.12'],
    },
    {
      name: 'nvidia-cuda-nvrtc-cu12',
      version: '12.5.82',
      sha256: '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd',
      libraries: ['libnvrtc.so.12', 'libnvrtc-builtins.so.12.5'],
    },
    {
      name: 'nvidia-cuda-cupti-cu12',
      version: '12.5.82',
      sha256: 'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953',
      libraries: ['libcupti.so.12'],
    },
  ],
  gigabytes: 12,
};
