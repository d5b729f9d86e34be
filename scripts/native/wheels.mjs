/**
 * The wheels of TensorFlow 2.15 that `native:install` fetches from PyPI, pinned by version and SHA-256. TensorFlow's wheels carry the C API
 * and its headers; the CUDA libraries are those that `tensorflow[and-cuda]` 2.15.1 names. NCCL is linked into
 * TensorFlow, and TensorRT, ptxas and libdevice are used only by graph compilers that tfjs-node never calls.
 */

/**
 * @typedef {object} Wheel
 * @property {string} name      project name on PyPI
 * @property {string} version
 * @property {string} sha256
 * @property {(string | { from: string, to: string })[]} libraries  shared libraries that are taken out of the wheel, by
 *   file name, and the names that they get where those differ
 */

/**
 * @typedef {object} Flavour
 * @property {'tfjs-node' | 'tfjs-node-gpu'} npmPackage
 * @property {Wheel} tensorflow
 * @property {Wheel[]} cuda
 * @property {number} gigabytes  free space that the install needs while it unpacks
 */

export const TFJS_NODE_VERSION = '4.22.0';
export const NODE_API_HEADERS_VERSION = '1.9.0';
const TENSORFLOW_VERSION = '2.15.1';
/** The wheels differ by Python only in their Python part, which is not used; any tag that exists will do. */
export const PYTHON_TAG = '3.11';
/** The oldest NVIDIA driver that runs CUDA 12 programs on Linux. */
export const OLDEST_DRIVER = 525;

export const TENSORFLOW_LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** @type {Flavour} */
export const CPU = {
  npmPackage: 'tfjs-node',
  tensorflow: {
    name: 'tensorflow-cpu',
    version: TENSORFLOW_VERSION,
    sha256: '54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26',
    libraries: TENSORFLOW_LIBRARIES,
  },
  cuda: [],
  gigabytes: 3,
};

/** @type {Flavour} */
export const GPU = {
  npmPackage: 'tfjs-node-gpu',
  tensorflow: {
    name: 'tensorflow',
    version: TENSORFLOW_VERSION,
    sha256: 'bb0edd69103c154245c5f209f0507355cc68ba7e4de350084bc31edc562478e4',
    libraries: TENSORFLOW_LIBRARIES,
  },
  cuda: [
    {
      name: 'nvidia-cuda-runtime-cu12',
      version: '12.2.140',
      sha256: 'acb9cb7e44594a3512533497ea790d9f0b0e399abcc888584c157d1ffa080e41',
      libraries: ['libcudart.so.12'],
    },
    {
      name: 'nvidia-cublas-cu12',
      version: '12.2.5.6',
      sha256: 'f448d8db463f9a2c7dd9a1e607c0961d3e95f825b86839c5882f7d073d406df0',
      libraries: ['libcublas.so.12', 'libcublasLt.so.12'],
    },
    {
      name: 'nvidia-cudnn-cu12',
      version: '8.9.4.25',
      sha256: '9f882d5b11753c566fd32427839089eb4f8ba7a58c28446ad359e32c40229723',
      libraries: [
        'libcudnn.so.8',
        'libcudnn_adv_infer.so.8',
        'libcudnn_adv_train.so.8',
        'libcudnn_cnn_infer.so.8',
        'libcudnn_cnn_train.so.8',
        'libcudnn_ops_infer.so.8',
        'libcudnn_ops_train.so.8',
      ],
    },
    {
      name: 'nvidia-cufft-cu12',
      version: '11.0.8.103',
      sha256: '72e961e578f9be9e316ccb4db8652c421dd0b57442624faa71061d452f449a67',
      libraries: ['libcufft.so.11'],
    },
    {
      name: 'nvidia-curand-cu12',
      version: '10.3.3.141',
      sha256: '7b6bad6817b5df2a6f5ec221206fb895d9195fdd7d2443f3e86554108c141a0a',
      libraries: ['libcurand.so.10'],
    },
    {
      name: 'nvidia-cusolver-cu12',
      version: '11.5.2.141',
      sha256: '5a85c4653ce34339a5688137f494a0f903e0f0532418550998167f00844161da',
      libraries: ['libcusolver.so.11'],
    },
    {
      name: 'nvidia-cusparse-cu12',
      version: '12.1.2.141',
      sha256: '4e13d6a51d2303dcb2a023ba09546811161f0334fc64e13689397bbd3b1eb126',
      libraries: ['libcusparse.so.12'],
    },
    {
      name: 'nvidia-nvjitlink-cu12',
      version: '12.2.140',
      sha256: '95635cafbf9f96c38bea5200ab145a2e6aefbb5405e0b04c1e4ba54df2d84ec9',
      libraries: ['libnvJitLink.so.12'],
    },
    {
      name: 'nvidia-cuda-nvrtc-cu12',
      version: '12.2.140',
      sha256: 'b1cdcae6443cb7cdcfb5d1bf51896a148c9f82f9e65b27db9ab095eaed689aa7',
      libraries: ['libnvrtc.so.12', 'libnvrtc-builtins.so.12.2'],
    },
    {
      name: 'nvidia-cuda-cupti-cu12',
      version: '12.2.142',
      sha256: 'ce68d1009dd14215e38ed49643d31374c71d6fea381181cb0b9da7f19dfd1624',
      libraries: ['libcupti.so.12'],
    },
  ],
  gigabytes: 10,
};
