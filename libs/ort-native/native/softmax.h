/** The arithmetic of softmax on plain arrays. Letters: N rows, D columns. */
#pragma once

#include "kernels.h"

namespace kernels {

/** dx = y∘(dy − Σ dy∘y) for each row of y, the result of a softmax. */
void SoftmaxGradient(Rows, const float* y, const float* dy, float* dx);

}  // namespace kernels
