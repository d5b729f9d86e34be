/**
 * The arithmetic of the fused ops on plain arrays, for a range of rows (or elements). Letters: N rows, D columns.
 * Nothing here depends on ONNX Runtime or on threads; a range gives the same numbers on every thread.
 */
#pragma once

#include <cstddef>

namespace kernels {

struct Rows {
  size_t begin;
  size_t end;
  /** Columns. */
  size_t D;
};

/**
 * Gradient of layer normalisation (Ba et al. 2016): with x̂ = (x − mean)·inverse and g = dy∘gamma,
 * dx = (g − Σg/D − x̂·Σ(g∘x̂)/D)·inverse. Adds Σ dy∘x̂ to d_gamma [D] and Σ dy to d_beta [D].
 */
void LayerNormGradient(Rows, const float* dy, const float* x, const float* gamma, const float* mean,
                       const float* inverse, float* dx, float* d_gamma, float* d_beta);

/** sum = a + b, and y = layer normalisation of sum; writes mean [N] and inverse deviation [N] of each row. */
void AddLayerNorm(Rows, const float* a, const float* b, const float* gamma, const float* beta, float epsilon,
                  float* sum, float* y, float* mean, float* inverse);

/** y = z·Φ(z) with z = x + bias (Hendrycks & Gimpel 2016, exact form). */
void BiasGelu(Rows, const float* x, const float* bias, float* y);

/** dx = dy·(Φ(z) + z·φ(z)) with z = x + bias. Adds Σ dx to d_bias [D]. */
void BiasGeluGradient(Rows, const float* dy, const float* x, const float* bias, float* dx, float* d_bias);

/** y = z·σ(1.702 z) with z = x + bias, OpenAI CLIP's approximation of GELU. */
void BiasQuickGelu(Rows, const float* x, const float* bias, float* y);

/** dx = dy·s·(1 + 1.702 z·(1 − s)) with s = σ(1.702 z) and z = x + bias. Adds Σ dx to d_bias [D]. */
void BiasQuickGeluGradient(Rows, const float* dy, const float* x, const float* bias, float* dx, float* d_bias);

/** y = min(max(x + bias, 0), highest). NaN stays NaN. */
void BiasRectify(Rows, const float* x, const float* bias, float highest, float* y);

/** dx = dy where 0 < y < highest, otherwise 0. Adds Σ dx to d_bias [D]. */
void RectifierGradient(Rows, const float* dy, const float* y, float highest, float* dx, float* d_bias);

/** Adds `count` rows [count, D] of `parts` from column `begin` to `end` into `sums` [D], in order. */
void SumRows(size_t begin, size_t end, size_t D, size_t count, const float* parts, float* sums);

/** Σ x² of n elements, in 64 sums side by side. */
double SumOfSquares(const float* x, size_t n);

struct AdamWFactors {
  float clip, beta1, one_minus_beta1, beta2, one_minus_beta2, correction2, epsilon;
  /** lr·correction1 */
  float rate;
  /** 1 − lr·weight_decay */
  float decay;
};

/** AdamW (Loshchilov & Hutter 2019) in the arithmetic of PyTorch, in place, for elements begin … end. */
void AdamW(size_t begin, size_t end, const AdamWFactors&, float* param, float* m, float* v, const float* grad);

}  // namespace kernels
