/**
 * Table look-up whose padding row gets no gradient, as torch's `nn.Embedding(padding_idx)`.
 */
import * as tf from '@tensorflow/tfjs-core';

/**
 * @param weight [V, D]
 * @param ids int32 [...]
 * @param paddingIndex the row that training leaves as it is; absent: none
 * @returns [..., D]
 */
export function embedding(weight: tf.Tensor, ids: tf.Tensor, paddingIndex?: number): tf.Tensor {
  if (paddingIndex === undefined) return tf.gather(weight, ids);
  const lookUp = tf.customGrad((table, save) => {
    (save as tf.GradSaveFunc)([ids]);
    return {
      value: tf.gather(table as tf.Tensor, ids),
      gradFunc: (dy: tf.Tensor, [rows]: tf.Tensor[]) => {
        const [V, D] = weight.shape as [number, number];
        const flat: tf.Tensor1D = tf.reshape(rows!, [rows!.size]);
        const used = tf.cast(tf.notEqual(flat, tf.scalar(paddingIndex, 'int32')), 'float32');
        const gradient = tf.mul(tf.reshape(dy, [rows!.size, D]), tf.expandDims(used, 1));
        return tf.unsortedSegmentSum(gradient, flat, V);
      },
    };
  });
  return lookUp(weight);
}
