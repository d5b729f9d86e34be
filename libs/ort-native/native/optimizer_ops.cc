/** The norm of gradients, and the update of parameters. */
#include "ops.h"

namespace custom_ops {
namespace {

/** The sum over all elements of all inputs, of which blocks are summed by themselves. */
void SumOfSquares(const Call& call, size_t inputs) {
  struct Block {
    const float* data;
    size_t size;
  };
  std::vector<Block> blocks;
  for (size_t i = 0; i < inputs; i++) {
    const auto x = call.Input(i);
    for (size_t begin = 0; begin < x.size; begin += kBlockElements)
      blocks.push_back({x.data + begin, std::min(kBlockElements, x.size - begin)});
  }
  std::vector<double> sums(blocks.size());
  call.Parallel(blocks.size(), [&](size_t i) { sums[i] = kernels::SumOfSquares(blocks[i].data, blocks[i].size); });
  double sum = 0;
  for (const double each : sums) sum += each;
  *call.Output(0, {}) = static_cast<float>(sum);
}

std::function<void(const Call&)> PrepareSumOfSquares(Table api, const ort::KernelInfo* info) {
  const size_t inputs = Size(api, info, "inputs");
  return [inputs](const Call& call) { SumOfSquares(call, inputs); };
}

struct AdamWAttributes {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, weight_decay;
};

void AdamW(const Call& call, const AdamWAttributes& a) {
  const auto param = call.Input(0), m = call.Input(1), v = call.Input(2), grad = call.Input(3);
  Require(m.size == param.size && v.size == param.size && grad.size == param.size, "AdamW");
  for (size_t i = 4; i < 8; i++) Require(call.Input(i).size == 1, "AdamW");
  const double lr = call.Input(4).data[0];
  const double correction1 = call.Input(6).data[0];
  const kernels::AdamWFactors factors = {call.Input(5).data[0],
                                         a.beta1,
                                         a.one_minus_beta1,
                                         a.beta2,
                                         a.one_minus_beta2,
                                         call.Input(7).data[0],
                                         a.epsilon,
                                         static_cast<float>(lr * correction1),
                                         static_cast<float>(1 - lr * a.weight_decay)};
  const size_t n = param.size;
  call.Parallel((n + kBlockElements - 1) / kBlockElements, [&](size_t i) {
    kernels::AdamW(i * kBlockElements, std::min(n, (i + 1) * kBlockElements), factors, param.data, m.data, v.data,
                   grad.data);
  });
  *call.Output(0, {}) = static_cast<float>(n);
}

std::function<void(const Call&)> PrepareAdamW(Table api, const ort::KernelInfo* info) {
  const AdamWAttributes attributes = {Attribute(api, info, "beta1"),   Attribute(api, info, "one_minus_beta1"),
                                      Attribute(api, info, "beta2"),   Attribute(api, info, "one_minus_beta2"),
                                      Attribute(api, info, "epsilon"), Attribute(api, info, "weight_decay")};
  return [attributes](const Call& call) { AdamW(call, attributes); };
}

const Op kOps[] = {{"SumOfSquares", kAnyNumber, 1, PrepareSumOfSquares}, {"AdamW", 8, 1, PrepareAdamW}};

}  // namespace

Ops OptimizerOps() { return {std::begin(kOps), std::end(kOps)}; }

}  // namespace custom_ops
