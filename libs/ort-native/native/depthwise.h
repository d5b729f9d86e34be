/**
 * Convolution of each channel by itself, in channels last. Letters: N images, H × W cells of the source, P × Q cells of
 * the result, C channels, R × S taps of the filter.
 */
#pragma once

#include <cstddef>
#include <vector>

namespace kernels {

/** A cell of the source along one axis, and the tap of the filter that it meets. */
struct Tap {
  size_t source;
  size_t tap;
};

/** For each cell of a result along one axis what it is summed from; no cell has more taps than the filter. */
using Taps = std::vector<std::vector<Tap>>;

/** What the rows [N·P, Q, C] of a result are computed from. */
struct Window {
  size_t H, W, P, Q, C, S;
  Taps rows;     // for each of P
  Taps columns;  // for each of Q
};

/** Most taps of a filter. */
constexpr size_t kMaxTaps = 64;

/**
 * Rows begin … end of result [N·P, Q, C], each cell the sum over its taps of source [N, H, W, C] times filter [R, S,
 * C]. With the taps of a convolution it is the convolution, with those reversed the gradient of its source.
 */
void Depthwise(size_t begin, size_t end, const Window&, const float* source, const float* filter, float* result);

/** The columns of a result that meet a cell of the source under one tap, begin … end; `sources` says which, for each of
 * Q. */
struct Reach {
  size_t begin = 0;
  size_t end = 0;
  std::vector<size_t> sources;
};

/** For each of the S taps of a row. */
std::vector<Reach> ReachOfTaps(const Window&);

/**
 * Adds to d_filter [R, S, C] the sum over rows begin … end of dy [N·P, Q, C] times the cells of x [N, H, W, C] that
 * each tap met.
 */
void DepthwiseFilterGradient(size_t begin, size_t end, const Window&, const std::vector<Reach>&, const float* x,
                             const float* dy, float* d_filter);

}  // namespace kernels
