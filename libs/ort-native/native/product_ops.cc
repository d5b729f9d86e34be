/** Products of matrices. */
#include "ops.h"
#include "weight_gradient.h"

namespace custom_ops {
namespace {

void TransposedGemm(const Call& call, float alpha) {
  const auto left = call.Input(0), right = call.Input(1);
  Require(left.shape.size() == 2 && right.shape.size() == 2 && left.shape[0] == right.shape[0], "TransposedGemm");
  const size_t M = left.columns(), N = right.columns();
  const kernels::Tiling tiling({static_cast<size_t>(left.shape[0]), M, N});
  float* result = call.Output(0, {left.shape[1], right.shape[1]});
  std::vector<float> sums(tiling.parts == 1 ? 0 : tiling.parts * M * N);
  call.Parallel(tiling.tiles * tiling.parts, [&](size_t i) {
    const size_t part = i / tiling.tiles;
    float* target = sums.empty() ? result : sums.data() + part * M * N;
    kernels::TransposedProduct(tiling, i % tiling.tiles, part, alpha, left.data, right.data, target);
  });
  if (!sums.empty()) SumParts(call, sums, tiling.parts, M * N, result);
}

std::function<void(const Call&)> PrepareTransposedGemm(Table api, const ort::KernelInfo* info) {
  const float alpha = Attribute(api, info, "alpha");
  return [alpha](const Call& call) { TransposedGemm(call, alpha); };
}

const Op kOps[] = {{"TransposedGemm", 2, 1, PrepareTransposedGemm}};

}  // namespace

Ops ProductOps() { return {std::begin(kOps), std::end(kOps)}; }

}  // namespace custom_ops
