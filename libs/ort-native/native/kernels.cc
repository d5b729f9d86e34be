/**
 * Loops that compilers vectorise: sums run in kLanes independent lanes, choices are written without branches.
 */
#include "kernels.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "clones.h"
#include "lanes.h"

namespace kernels {
namespace {

/** eˣ for x ≤ 0 to 2 units in the last place; 0 below −87, where it would be denormal. NaN stays NaN. */
INLINE float ExpOfNegative(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5·2²³: adding it rounds to an integer
  const float original = x;
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127u) << 23;  // 2ⁿ: the low bits of `shifted` hold n
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return original < -87.0f ? 0.0f : p * scale;
}

struct Normal {
  float cdf;
  float density;
};

/** Φ(z) to 1.5e-7 (Abramowitz & Stegun 7.1.26) and φ(z). Both tails keep their relative precision to that degree. */
INLINE Normal StandardNormal(float z) {
  const float u = std::fabs(z) * 0.707106781f;
  const float gaussian = ExpOfNegative(-u * u);
  const float t = 1.0f / (1.0f + 0.3275911f * u);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float tail = 0.5f * p * t * gaussian;
  return {z < 0.0f ? tail : 1.0f - tail, 0.398942280f * gaussian};
}

constexpr float kQuick = 1.702f;

/** 1 / (1 + e⁻ˣ), from an exponential that cannot overflow. */
INLINE float Sigmoid(float x) {
  const float e = ExpOfNegative(-std::fabs(x));
  const float reciprocal = 1.0f / (1.0f + e);
  return x < 0.0f ? e * reciprocal : reciprocal;
}

}  // namespace

CLONES void LayerNormGradient(Rows rows, const float* __restrict dy, const float* __restrict x,
                              const float* __restrict gamma, const float* __restrict mean,
                              const float* __restrict inverse, float* __restrict dx, float* __restrict d_gamma,
                              float* __restrict d_beta) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* dyn = dy + n * D;
    const float* xn = x + n * D;
    float* dxn = dx + n * D;
    const float mu = mean[n];
    const float inv = inverse[n];
    float sum_lanes[kLanes] = {};
    float product_lanes[kLanes] = {};
    size_t d = 0;
    for (; d + kLanes <= D; d += kLanes) {
      for (size_t l = 0; l < kLanes; l++) {
        const float g = dyn[d + l] * gamma[d + l];
        sum_lanes[l] += g;
        product_lanes[l] += g * ((xn[d + l] - mu) * inv);
      }
    }
    float sum = SumLanes(sum_lanes);
    float product = SumLanes(product_lanes);
    for (; d < D; d++) {
      const float g = dyn[d] * gamma[d];
      sum += g;
      product += g * ((xn[d] - mu) * inv);
    }
    const float mean_g = sum / static_cast<float>(D);
    const float mean_product = product / static_cast<float>(D);
    for (d = 0; d < D; d++) {
      const float normalised = (xn[d] - mu) * inv;
      d_gamma[d] += dyn[d] * normalised;
      d_beta[d] += dyn[d];
      dxn[d] = (dyn[d] * gamma[d] - mean_g - normalised * mean_product) * inv;
    }
  }
}

CLONES void AddLayerNorm(Rows rows, const float* __restrict a, const float* __restrict b, const float* __restrict gamma,
                         const float* __restrict beta, float epsilon, float* __restrict sum, float* __restrict y,
                         float* __restrict mean, float* __restrict inverse) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* an = a + n * D;
    const float* bn = b + n * D;
    float* sn = sum + n * D;
    float* yn = y + n * D;
    float lanes[kLanes] = {};
    size_t d = 0;
    for (; d + kLanes <= D; d += kLanes) {
      for (size_t l = 0; l < kLanes; l++) {
        const float s = an[d + l] + bn[d + l];
        sn[d + l] = s;
        lanes[l] += s;
      }
    }
    float total = SumLanes(lanes);
    for (; d < D; d++) {
      sn[d] = an[d] + bn[d];
      total += sn[d];
    }
    const float mu = total / static_cast<float>(D);
    float square_lanes[kLanes] = {};
    for (d = 0; d + kLanes <= D; d += kLanes) {
      for (size_t l = 0; l < kLanes; l++) {
        const float centred = sn[d + l] - mu;
        square_lanes[l] += centred * centred;
      }
    }
    float squares = SumLanes(square_lanes);
    for (; d < D; d++) squares += (sn[d] - mu) * (sn[d] - mu);
    const float inv = 1.0f / std::sqrt(squares / static_cast<float>(D) + epsilon);
    mean[n] = mu;
    inverse[n] = inv;
    for (d = 0; d < D; d++) yn[d] = (sn[d] - mu) * inv * gamma[d] + beta[d];
  }
}

namespace {

struct Gelu {
  static INLINE float Value(float z) { return z * StandardNormal(z).cdf; }
  static INLINE float Slope(float z) {
    const Normal normal = StandardNormal(z);
    return normal.cdf + z * normal.density;
  }
};

struct QuickGelu {
  static INLINE float Value(float z) { return z * Sigmoid(kQuick * z); }
  static INLINE float Slope(float z) {
    const float s = Sigmoid(kQuick * z);
    return s + kQuick * z * s * (1.0f - s);
  }
};

/** y = activation(x + bias) */
template <class Activation>
INLINE void Activate(Rows rows, const float* __restrict x, const float* __restrict bias, float* __restrict y) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* xn = x + n * D;
    float* yn = y + n * D;
    for (size_t d = 0; d < D; d++) yn[d] = Activation::Value(xn[d] + bias[d]);
  }
}

template <class Activation>
INLINE void ActivateGradient(Rows rows, const float* __restrict dy, const float* __restrict x,
                             const float* __restrict bias, float* __restrict dx, float* __restrict d_bias) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* dyn = dy + n * D;
    const float* xn = x + n * D;
    float* dxn = dx + n * D;
    for (size_t d = 0; d < D; d++) {
      const float gradient = dyn[d] * Activation::Slope(xn[d] + bias[d]);
      dxn[d] = gradient;
      d_bias[d] += gradient;
    }
  }
}

}  // namespace

CLONES void BiasGelu(Rows rows, const float* __restrict x, const float* __restrict bias, float* __restrict y) {
  Activate<Gelu>(rows, x, bias, y);
}

CLONES void BiasGeluGradient(Rows rows, const float* __restrict dy, const float* __restrict x,
                             const float* __restrict bias, float* __restrict dx, float* __restrict d_bias) {
  ActivateGradient<Gelu>(rows, dy, x, bias, dx, d_bias);
}

CLONES void BiasQuickGelu(Rows rows, const float* __restrict x, const float* __restrict bias, float* __restrict y) {
  Activate<QuickGelu>(rows, x, bias, y);
}

CLONES void BiasQuickGeluGradient(Rows rows, const float* __restrict dy, const float* __restrict x,
                                  const float* __restrict bias, float* __restrict dx, float* __restrict d_bias) {
  ActivateGradient<QuickGelu>(rows, dy, x, bias, dx, d_bias);
}

CLONES void BiasRectify(Rows rows, const float* __restrict x, const float* __restrict bias, float highest,
                        float* __restrict y) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* xn = x + n * D;
    float* yn = y + n * D;
    for (size_t d = 0; d < D; d++) {
      const float z = xn[d] + bias[d];
      const float positive = z < 0.0f ? 0.0f : z;
      yn[d] = positive > highest ? highest : positive;
    }
  }
}

CLONES void RectifierGradient(Rows rows, const float* __restrict dy, const float* __restrict y, float highest,
                              float* __restrict dx, float* __restrict d_bias) {
  const size_t D = rows.D;
  for (size_t n = rows.begin; n < rows.end; n++) {
    const float* dyn = dy + n * D;
    const float* yn = y + n * D;
    float* dxn = dx + n * D;
    for (size_t d = 0; d < D; d++) {
      const bool passes = (yn[d] > 0.0f) & (yn[d] < highest);
      const float gradient = passes ? dyn[d] : 0.0f;
      dxn[d] = gradient;
      d_bias[d] += gradient;
    }
  }
}

CLONES void SumRows(size_t begin, size_t end, size_t D, size_t count, const float* __restrict parts,
                    float* __restrict sums) {
  for (size_t d = begin; d < end; d++) sums[d] = 0;
  for (size_t k = 0; k < count; k++) {
    for (size_t d = begin; d < end; d++) sums[d] += parts[k * D + d];
  }
}

CLONES double SumOfSquares(const float* __restrict x, size_t n) {
  constexpr size_t kSums = 4 * kLanes;
  float sums[kSums] = {};
  const size_t whole = n - n % kSums;
  for (size_t i = 0; i < whole; i += kSums) {
    for (size_t l = 0; l < kSums; l++) sums[l] += x[i + l] * x[i + l];
  }
  for (size_t i = whole; i < n; i++) sums[i - whole] += x[i] * x[i];
  double sum = 0;
  for (const float each : sums) sum += each;
  return sum;
}

CLONES void AdamW(size_t begin, size_t end, const AdamWFactors& factors, float* __restrict param, float* __restrict m,
                  float* __restrict v, const float* __restrict grad) {
  const AdamWFactors f = factors;
  // Moments of rarely used rows decay towards denormals, which are slow; below this they are set to zero.
  constexpr float kTiny = 1e-30f;
  for (size_t i = begin; i < end; i++) {
    const float g = grad[i] * f.clip;
    float new_m = m[i] * f.beta1 + g * f.one_minus_beta1;
    float new_v = v[i] * f.beta2 + g * g * f.one_minus_beta2;
    new_m = std::fabs(new_m) < kTiny ? 0.0f : new_m;
    new_v = new_v < kTiny ? 0.0f : new_v;
    m[i] = new_m;
    v[i] = new_v;
    param[i] = param[i] * f.decay - f.rate * new_m / (std::sqrt(new_v * f.correction2) + f.epsilon);
  }
}

}  // namespace kernels
