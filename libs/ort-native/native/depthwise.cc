/**
 * Channels are neighbours in memory, so they fill the vectors. A vector has 64 bytes: compilers make two or four of it
 * where registers are narrower, with the same results.
 */
#include "depthwise.h"

#include <cstring>

#include "clones.h"

namespace kernels {
namespace {

constexpr size_t kLanes = 16;
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

#define LOAD(vector, pointer) std::memcpy(&(vector), (pointer), sizeof(Vector))
#define STORE(pointer, vector) std::memcpy((pointer), &(vector), sizeof(Vector))

/** Sums of `Count` neighbouring taps at once over the columns that all of them meet, then over the rest of each. */
template <size_t Count>
INLINE void AddTaps(const Window& w, const Reach* reach, const float* x_row, const float* dy_row, float* d_filter) {
  const size_t C = w.C;
  size_t begin = 0;
  size_t end = w.Q;
  for (size_t t = 0; t < Count; t++) {
    begin = reach[t].begin > begin ? reach[t].begin : begin;
    end = reach[t].end < end ? reach[t].end : end;
  }
  if (end < begin) end = begin;
  size_t c = 0;
  for (; c + kLanes <= C; c += kLanes) {
    Vector sums[Count] = {};
    for (size_t q = begin; q < end; q++) {
      Vector gradient;
      LOAD(gradient, dy_row + q * C + c);
      for (size_t t = 0; t < Count; t++) {
        Vector value;
        LOAD(value, x_row + reach[t].sources[q] * C + c);
        sums[t] += gradient * value;
      }
    }
    for (size_t t = 0; t < Count; t++) {
      for (size_t q = reach[t].begin; q < reach[t].end; q++) {
        if (q == begin) q = end;
        if (q >= reach[t].end) break;
        Vector gradient, value;
        LOAD(gradient, dy_row + q * C + c);
        LOAD(value, x_row + reach[t].sources[q] * C + c);
        sums[t] += gradient * value;
      }
      Vector total;
      LOAD(total, d_filter + t * C + c);
      total += sums[t];
      STORE(d_filter + t * C + c, total);
    }
  }
  for (; c < C; c++) {
    for (size_t t = 0; t < Count; t++) {
      float sum = 0;
      for (size_t q = reach[t].begin; q < reach[t].end; q++) {
        sum += dy_row[q * C + c] * x_row[reach[t].sources[q] * C + c];
      }
      d_filter[t * C + c] += sum;
    }
  }
}

}  // namespace

std::vector<Reach> ReachOfTaps(const Window& w) {
  std::vector<Reach> reach(w.S);
  for (Reach& each : reach) each.sources.resize(w.Q);
  for (size_t q = 0; q < w.Q; q++) {
    for (const Tap& tap : w.columns[q]) {
      Reach& each = reach[tap.tap];
      if (each.end == 0) each.begin = q;
      each.end = q + 1;
      each.sources[q] = tap.source;
    }
  }
  return reach;
}

CLONES void Depthwise(size_t begin, size_t end, const Window& w, const float* __restrict source,
                      const float* __restrict filter, float* __restrict result) {
  const size_t C = w.C;
  for (size_t row = begin; row < end; row++) {
    const float* image = source + row / w.P * w.H * w.W * C;
    for (size_t q = 0; q < w.Q; q++) {
      const float* values[kMaxTaps];
      const float* weights[kMaxTaps];
      size_t count = 0;
      for (const Tap& vertical : w.rows[row % w.P]) {
        for (const Tap& horizontal : w.columns[q]) {
          values[count] = image + (vertical.source * w.W + horizontal.source) * C;
          weights[count] = filter + (vertical.tap * w.S + horizontal.tap) * C;
          count++;
        }
      }
      float* cell = result + (row * w.Q + q) * C;
      size_t c = 0;
      for (; c + 2 * kLanes <= C; c += 2 * kLanes) {
        Vector first = {}, second = {};
        for (size_t t = 0; t < count; t++) {
          Vector a, b, u, v;
          LOAD(a, values[t] + c);
          LOAD(b, values[t] + c + kLanes);
          LOAD(u, weights[t] + c);
          LOAD(v, weights[t] + c + kLanes);
          first += a * u;
          second += b * v;
        }
        STORE(cell + c, first);
        STORE(cell + c + kLanes, second);
      }
      for (; c < C; c++) {
        float sum = 0;
        for (size_t t = 0; t < count; t++) sum += values[t][c] * weights[t][c];
        cell[c] = sum;
      }
    }
  }
}

CLONES void DepthwiseFilterGradient(size_t begin, size_t end, const Window& w, const std::vector<Reach>& reach,
                                    const float* __restrict x, const float* __restrict dy, float* __restrict d_filter) {
  for (size_t row = begin; row < end; row++) {
    const float* image = x + row / w.P * w.H * w.W * w.C;
    const float* dy_row = dy + row * w.Q * w.C;
    for (const Tap& vertical : w.rows[row % w.P]) {
      const float* x_row = image + vertical.source * w.W * w.C;
      float* taps = d_filter + vertical.tap * w.S * w.C;
      size_t s = 0;
      for (; s + 3 <= w.S; s += 3) AddTaps<3>(w, &reach[s], x_row, dy_row, taps + s * w.C);
      for (; s < w.S; s++) AddTaps<1>(w, &reach[s], x_row, dy_row, taps + s * w.C);
    }
  }
}

}  // namespace kernels
