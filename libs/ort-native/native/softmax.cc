#include "softmax.h"

#include "lanes.h"

namespace kernels {

CLONES void SoftmaxGradient(Rows rows, const float* __restrict y, const float* __restrict dy, float* __restrict dx) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* yn = y + n * D;
    const float* dyn = dy + n * D;
    float* dxn = dx + n * D;
    float lanes[kLanes] = {};
    size_t d = 0;
    for (; d + kLanes <= D; d += kLanes) {
      for (size_t l = 0; l < kLanes; l++) lanes[l] += dyn[d + l] * yn[d + l];
    }
    float product = SumLanes(lanes);
    for (; d < D; d++) product += dyn[d] * yn[d];
    for (d = 0; d < D; d++) dxn[d] = yn[d] * (dyn[d] - product);
  }
}

}  // namespace kernels
