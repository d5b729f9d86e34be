/** ONNX's element types that tensors may have here: float32 1, uint8 2, int32 6, int64 7, bool 9, float16 10. */
export type ElementCode = 1 | 2 | 6 | 7 | 9 | 10;
export type TensorData = Float32Array | Int32Array | Uint8Array | BigInt64Array | Uint16Array;
