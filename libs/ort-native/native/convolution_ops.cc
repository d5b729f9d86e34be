/** Convolutions of each channel by itself, and their gradients. Letters as in depthwise.h. */
#include "depthwise.h"
#include "ops.h"

namespace custom_ops {
namespace {

/** One axis of a convolution: result cell p reads cells p·stride − pad + tap·dilation. */
struct Axis {
  size_t stride, pad, dilation;
};

struct Attributes {
  Axis vertical, horizontal;
  /** Of the result. */
  size_t height, width;
};

kernels::Taps TapsOf(const Axis& axis, size_t results, size_t sources, size_t taps) {
  kernels::Taps found(results);
  for (size_t p = 0; p < results; p++) {
    for (size_t tap = 0; tap < taps; tap++) {
      const size_t padded = p * axis.stride + tap * axis.dilation;
      if (padded >= axis.pad && padded - axis.pad < sources) found[p].push_back({padded - axis.pad, tap});
    }
  }
  return found;
}

/** For each source the results that read it. */
kernels::Taps Reversed(const kernels::Taps& forward, size_t sources) {
  kernels::Taps reversed(sources);
  for (size_t p = 0; p < forward.size(); p++) {
    for (const kernels::Tap& each : forward[p]) reversed[each.source].push_back({p, each.tap});
  }
  return reversed;
}

size_t At(const Call::Tensor& tensor, size_t axis) { return static_cast<size_t>(tensor.shape[axis]); }

/** Runs body(begin, end, i) for blocks of the rows, of which each has `elements`. */
template <typename Body>
void OverRows(const Call& call, size_t rows, size_t elements, Body body) {
  const Blocks blocks(rows, elements);
  call.Parallel(blocks.count, [&](size_t i) {
    const auto range = blocks.at(i, rows, elements);
    body(range.begin, range.end, i);
  });
}

void RequireWindow(const Call::Tensor& images, const Call::Tensor& filter, const char* op) {
  Require(images.shape.size() == 4 && filter.shape.size() == 3 && images.shape[3] == filter.shape[2] &&
              At(filter, 0) * At(filter, 1) <= kernels::kMaxTaps,
          op);
}

void Convolve(const Call& call, const Attributes& a) {
  const auto x = call.Input(0), filter = call.Input(1);
  RequireWindow(x, filter, "DepthwiseConv");
  const size_t N = At(x, 0), H = At(x, 1), W = At(x, 2), C = At(x, 3), R = At(filter, 0), S = At(filter, 1);
  const size_t P = a.height, Q = a.width;
  float* y = call.Output(0, {x.shape[0], static_cast<int64_t>(P), static_cast<int64_t>(Q), x.shape[3]});
  const kernels::Window window{H, W, P, Q, C, S, TapsOf(a.vertical, P, H, R), TapsOf(a.horizontal, Q, W, S)};
  OverRows(call, N * P, Q * C,
           [&](size_t begin, size_t end, size_t) { kernels::Depthwise(begin, end, window, x.data, filter.data, y); });
}

void InputGradient(const Call& call, const Attributes& a) {
  const auto dy = call.Input(0), filter = call.Input(1);
  RequireWindow(dy, filter, "DepthwiseConvInputGradient");
  const size_t N = At(dy, 0), P = At(dy, 1), Q = At(dy, 2), C = At(dy, 3), R = At(filter, 0), S = At(filter, 1);
  const size_t H = a.height, W = a.width;
  float* dx = call.Output(0, {dy.shape[0], static_cast<int64_t>(H), static_cast<int64_t>(W), dy.shape[3]});
  const kernels::Window window{
      P, Q, H, W, C, S, Reversed(TapsOf(a.vertical, P, H, R), H), Reversed(TapsOf(a.horizontal, Q, W, S), W)};
  OverRows(call, N * H, W * C,
           [&](size_t begin, size_t end, size_t) { kernels::Depthwise(begin, end, window, dy.data, filter.data, dx); });
}

void FilterGradient(const Call& call, const Attributes& a) {
  const auto x = call.Input(0), dy = call.Input(1);
  const size_t R = a.height, S = a.width;
  Require(x.shape.size() == 4 && dy.shape.size() == 4 && x.shape[0] == dy.shape[0] && x.shape[3] == dy.shape[3],
          "DepthwiseConvFilterGradient");
  const size_t N = At(x, 0), H = At(x, 1), W = At(x, 2), P = At(dy, 1), Q = At(dy, 2), C = At(dy, 3);
  float* d_filter = call.Output(0, {static_cast<int64_t>(R), static_cast<int64_t>(S), x.shape[3]});
  const kernels::Window window{H, W, P, Q, C, S, TapsOf(a.vertical, P, H, R), TapsOf(a.horizontal, Q, W, S)};
  const auto reach = kernels::ReachOfTaps(window);
  const size_t size = R * S * C;
  const Blocks blocks(N * P, Q * C);
  std::vector<float> parts(blocks.count * size);
  OverRows(call, N * P, Q * C, [&](size_t begin, size_t end, size_t i) {
    kernels::DepthwiseFilterGradient(begin, end, window, reach, x.data, dy.data, parts.data() + i * size);
  });
  SumParts(call, parts, blocks.count, size, d_filter);
}

template <void (*Compute)(const Call&, const Attributes&)>
std::function<void(const Call&)> Prepare(Table api, const ort::KernelInfo* info) {
  const auto size = [&](const char* name) { return Size(api, info, name); };
  const Attributes attributes = {{size("stride_height"), size("pad_top"), size("dilation_height")},
                                 {size("stride_width"), size("pad_left"), size("dilation_width")},
                                 size("height"),
                                 size("width")};
  return [attributes](const Call& call) { Compute(call, attributes); };
}

const Op kOps[] = {
    {"DepthwiseConv", 2, 1, Prepare<Convolve>},
    {"DepthwiseConvInputGradient", 2, 1, Prepare<InputGradient>},
    {"DepthwiseConvFilterGradient", 2, 1, Prepare<FilterGradient>},
};

}  // namespace

Ops ConvolutionOps() { return {std::begin(kOps), std::end(kOps)}; }

}  // namespace custom_ops
