/** Sums in independent lanes: their order is part of the source, so it is the same for every instruction set. */
#pragma once

#include <cstddef>

#include "clones.h"

namespace kernels {

constexpr size_t kLanes = 16;

INLINE float SumLanes(const float* lanes) {
  float half[kLanes / 2];
  for (size_t l = 0; l < kLanes / 2; l++) half[l] = lanes[l] + lanes[l + kLanes / 2];
  float sum = 0;
  for (size_t l = 0; l < kLanes / 2; l++) sum += half[l];
  return sum;
}

}  // namespace kernels
