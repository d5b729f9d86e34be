/** Ops on rows: layer normalisation, activations and softmax. */
#include "ops.h"
#include "softmax.h"

namespace custom_ops {
namespace {

void LayerNormGradient(const Call& call) {
  const auto dy = call.Input(0), x = call.Input(1), gamma = call.Input(2), mean = call.Input(3),
             inverse = call.Input(4);
  const size_t D = gamma.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D && dy.size == x.size && mean.size == inverse.size && (D == 0 || mean.size == N),
          "LayerNormGradient");
  float* dx = call.Output(0, x.shape);
  float* d_gamma = call.Output(1, gamma.shape);
  float* d_beta = call.Output(2, gamma.shape);
  const Blocks blocks(N, D);
  std::vector<float> gamma_parts(blocks.count * D), beta_parts(blocks.count * D);
  call.Parallel(blocks.count, [&](size_t i) {
    kernels::LayerNormGradient(blocks.at(i, N, D), dy.data, x.data, gamma.data, mean.data, inverse.data, dx,
                               gamma_parts.data() + i * D, beta_parts.data() + i * D);
  });
  SumParts(call, gamma_parts, blocks.count, D, d_gamma);
  SumParts(call, beta_parts, blocks.count, D, d_beta);
}

void AddLayerNorm(const Call& call, float epsilon) {
  const auto a = call.Input(0), b = call.Input(1), gamma = call.Input(2), beta = call.Input(3);
  const size_t D = gamma.size;
  const size_t N = D == 0 ? 0 : a.size / D;
  Require(a.shape == b.shape && !a.shape.empty() && a.columns() == D && beta.size == D, "AddLayerNorm");
  auto per_row = a.shape;
  per_row.back() = 1;
  float* sum = call.Output(0, a.shape);
  float* y = call.Output(1, a.shape);
  float* mean = call.Output(2, per_row);
  float* inverse = call.Output(3, per_row);
  const Blocks blocks(N, D);
  call.Parallel(blocks.count, [&](size_t i) {
    kernels::AddLayerNorm(blocks.at(i, N, D), a.data, b.data, gamma.data, beta.data, epsilon, sum, y, mean, inverse);
  });
}

template <void (*Kernel)(kernels::Rows, const float*, const float*, float*)>
void Activate(const Call& call) {
  const auto x = call.Input(0), bias = call.Input(1);
  const size_t D = bias.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D, "activation of a sum with a bias");
  float* y = call.Output(0, x.shape);
  const Blocks blocks(N, D);
  call.Parallel(blocks.count, [&](size_t i) { Kernel(blocks.at(i, N, D), x.data, bias.data, y); });
}

template <void (*Kernel)(kernels::Rows, const float*, const float*, const float*, float*, float*)>
void ActivationGradient(const Call& call) {
  const auto dy = call.Input(0), x = call.Input(1), bias = call.Input(2);
  const size_t D = bias.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D && dy.size == x.size, "gradient of an activation");
  float* dx = call.Output(0, x.shape);
  float* d_bias = call.Output(1, bias.shape);
  const Blocks blocks(N, D);
  std::vector<float> parts(blocks.count * D);
  call.Parallel(blocks.count,
                [&](size_t i) { Kernel(blocks.at(i, N, D), dy.data, x.data, bias.data, dx, parts.data() + i * D); });
  SumParts(call, parts, blocks.count, D, d_bias);
}

void BiasRectify(const Call& call, float highest) {
  const auto x = call.Input(0), bias = call.Input(1);
  const size_t D = bias.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D, "BiasRectify");
  float* y = call.Output(0, x.shape);
  const Blocks blocks(N, D);
  call.Parallel(blocks.count,
                [&](size_t i) { kernels::BiasRectify(blocks.at(i, N, D), x.data, bias.data, highest, y); });
}

void RectifierGradient(const Call& call, float highest) {
  const auto dy = call.Input(0), y = call.Input(1);
  const size_t D = y.columns();
  const size_t N = D == 0 ? 0 : y.size / D;
  Require(dy.size == y.size, "RectifierGradient");
  float* dx = call.Output(0, y.shape);
  float* d_bias = call.Output(1, {static_cast<int64_t>(D)});
  const Blocks blocks(N, D);
  std::vector<float> parts(blocks.count * D);
  call.Parallel(blocks.count, [&](size_t i) {
    kernels::RectifierGradient(blocks.at(i, N, D), dy.data, y.data, highest, dx, parts.data() + i * D);
  });
  SumParts(call, parts, blocks.count, D, d_bias);
}

void SoftmaxGradient(const Call& call) {
  const auto y = call.Input(0), dy = call.Input(1);
  const size_t D = y.columns();
  const size_t N = D == 0 ? 0 : y.size / D;
  Require(y.shape == dy.shape && !y.shape.empty(), "SoftmaxGradient");
  float* dx = call.Output(0, y.shape);
  const Blocks blocks(N, D);
  call.Parallel(blocks.count, [&](size_t i) { kernels::SoftmaxGradient(blocks.at(i, N, D), y.data, dy.data, dx); });
}

/** A kernel with one number, an attribute of this name. */
template <void (*Compute)(const Call&, float)>
std::function<void(const Call&)> WithNumber(Table api, const ort::KernelInfo* info, const char* name) {
  const float value = Attribute(api, info, name);
  return [value](const Call& call) { Compute(call, value); };
}

std::function<void(const Call&)> PrepareAddLayerNorm(Table api, const ort::KernelInfo* info) {
  return WithNumber<AddLayerNorm>(api, info, "epsilon");
}

template <void (*Compute)(const Call&, float)>
std::function<void(const Call&)> UpTo(Table api, const ort::KernelInfo* info) {
  return WithNumber<Compute>(api, info, "highest");
}

const Op kOps[] = {
    {"LayerNormGradient", 5, 3, Plain<LayerNormGradient>},
    {"AddLayerNorm", 4, 4, PrepareAddLayerNorm},
    {"BiasGelu", 2, 1, Plain<Activate<kernels::BiasGelu>>},
    {"BiasGeluGradient", 3, 2, Plain<ActivationGradient<kernels::BiasGeluGradient>>},
    {"BiasQuickGelu", 2, 1, Plain<Activate<kernels::BiasQuickGelu>>},
    {"BiasQuickGeluGradient", 3, 2, Plain<ActivationGradient<kernels::BiasQuickGeluGradient>>},
    {"BiasRectify", 2, 1, UpTo<BiasRectify>},
    {"RectifierGradient", 2, 2, UpTo<RectifierGradient>},
    {"SoftmaxGradient", 2, 1, Plain<SoftmaxGradient>},
};

}  // namespace

Ops RowOps() { return {std::begin(kOps), std::end(kOps)}; }

}  // namespace custom_ops
