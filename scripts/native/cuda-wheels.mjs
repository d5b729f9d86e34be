/**
 * The wheels that `native:install -- --cuda` fetches from PyPI, pinned by version and SHA-256: ONNX Runtime for CUDA 13 in
 * the version of onnxruntime-node, and the libraries of CUDA 13.0 and cuDNN 9 that its provider needs. The versions of CUDA's
 * are those of `cuda-toolkit` 13.0.2, which PyTorch 2.11 for CUDA 13.0 takes too. Left out: cuFFT (214 MB), which the provider
 * opens for Fourier transforms alone.
 */
import { ONNXRUNTIME_GPU_VERSION } from '../../libs/ort-native/dist/index.js';

/** @typedef {import('./wheels.mjs').Wheel} Wheel */

/** The oldest NVIDIA driver that runs CUDA 13 programs on Linux. */
export const OLDEST_CUDA13_DRIVER = 580;

/** Free space that the install needs while it unpacks. */
export const CUDA_GIGABYTES = 5;

/** @type {Wheel} */
export const ONNXRUNTIME_GPU = {
  name: 'onnxruntime-gpu',
  version: ONNXRUNTIME_GPU_VERSION,
  sha256: '4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa',
  libraries: [
    { from: `libonnxruntime.so.${ONNXRUNTIME_GPU_VERSION}`, to: 'libonnxruntime.so.1' },
    'libonnxruntime_providers_shared.so',
    'libonnxruntime_providers_cuda.so',
  ],
};

/** @type {Wheel[]} */
export const CUDA13 = [
  {
    name: 'nvidia-cuda-runtime',
    version: '13.0.96',
    sha256: '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548',
    libraries: ['libcudart.so.13'],
  },
  {
    name: 'nvidia-cublas',
    version: '13.1.0.3',
    sha256: 'ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171',
    libraries: ['libcublas.so.13', 'libcublasLt.so.13'],
  },
  {
    name: 'nvidia-curand',
    version: '10.4.0.35',
    sha256: '1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc',
    libraries: ['libcurand.so.10'],
  },
  {
    name: 'nvidia-cuda-nvrtc',
    version: '13.0.88',
    sha256: 'ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575',
    libraries: ['libnvrtc.so.13', 'libnvrtc-builtins.so.13.0'],
  },
  {
    name: 'nvidia-cudnn-cu13',
    version: '9.15.1.9',
    sha256: 'ebc9a647918df0d7298d67cfaf41579fd4c78ead9aba246f5ad9414d61b9ec4c',
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
];
