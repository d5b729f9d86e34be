#include "custom_ops.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"

namespace custom_ops {
namespace {

using ort::Status;
using ort::Table;

/** An error on its way to ONNX Runtime, which turns it into the failure of the run. */
void Check(Table api, Status* status) {
  if (status == nullptr) return;
  const std::string message = ort::GetErrorMessage::call(api, status);
  ort::ReleaseStatus::call(api, status);
  throw std::runtime_error(message);
}

/** One call of a kernel: its inputs, outputs and the thread pool of the session. */
class Call {
 public:
  Call(Table api, ort::KernelContext* context) : api_(api), context_(context) {}

  struct Tensor {
    float* data;
    std::vector<int64_t> shape;
    size_t size;
    /** Elements of the last axis; 1 for scalars. */
    size_t columns() const { return shape.empty() ? 1 : static_cast<size_t>(shape.back()); }
  };

  Tensor Input(size_t index) const {
    const ort::Value* value = nullptr;
    Check(api_, ort::KernelContextGetInput::call(api_, context_, index, &value));
    ort::TensorInfo* info = nullptr;
    Check(api_, ort::GetTensorTypeAndShape::call(api_, value, &info));
    size_t rank = 0;
    size_t size = 0;
    Status* status = ort::GetDimensionsCount::call(api_, info, &rank);
    std::vector<int64_t> shape(rank);
    if (status == nullptr) status = ort::GetDimensions::call(api_, info, shape.data(), rank);
    if (status == nullptr) status = ort::GetTensorShapeElementCount::call(api_, info, &size);
    ort::ReleaseTensorInfo::call(api_, info);
    Check(api_, status);
    return {Data(const_cast<ort::Value*>(value)), std::move(shape), size};
  }

  float* Output(size_t index, const std::vector<int64_t>& shape) const {
    ort::Value* value = nullptr;
    Check(api_, ort::KernelContextGetOutput::call(api_, context_, index, shape.data(), shape.size(), &value));
    return Data(value);
  }

  /** Runs body(0) … body(count − 1) on the threads of the session. */
  void Parallel(size_t count, const std::function<void(size_t)>& body) const {
    if (count == 1) return body(0);
    if (count == 0) return;
    auto run = [](void* data, size_t i) { (*static_cast<const std::function<void(size_t)>*>(data))(i); };
    void* data = const_cast<std::function<void(size_t)>*>(&body);
    Check(api_, ort::KernelContextParallelFor::call(api_, context_, run, count, 0, data));
  }

 private:
  float* Data(ort::Value* value) const {
    void* data = nullptr;
    Check(api_, ort::GetTensorMutableData::call(api_, value, &data));
    return static_cast<float*>(data);
  }

  Table api_;
  ort::KernelContext* context_;
};

/** Elements of one block of work: large enough to hide the cost of handing it out. */
constexpr size_t kBlockElements = 1 << 14;
/** Blocks whose column sums are kept apart. Their number follows from the shape alone, never from the threads. */
constexpr size_t kMaxBlocks = 64;

struct Blocks {
  size_t count;
  size_t rows;

  Blocks(size_t N, size_t D) {
    const size_t wanted = std::max<size_t>(1, N * D / kBlockElements);
    rows = (N + std::min(wanted, kMaxBlocks) - 1) / std::min(wanted, kMaxBlocks);
    count = rows == 0 ? 0 : (N + rows - 1) / rows;
  }
  kernels::Rows at(size_t i, size_t N, size_t D) const { return {i * rows, std::min(N, (i + 1) * rows), D}; }
};

/** Sums of the rows of `parts` [count, D], columns shared among the threads. */
void SumParts(const Call& call, const std::vector<float>& parts, size_t count, size_t D, float* sums) {
  constexpr size_t kColumns = 512;
  call.Parallel((D + kColumns - 1) / kColumns, [&](size_t i) {
    kernels::SumRows(i * kColumns, std::min(D, (i + 1) * kColumns), D, count, parts.data(), sums);
  });
}

void Require(bool condition, const char* op) {
  if (!condition) throw std::runtime_error(std::string(op) + ": the shapes of the inputs do not fit together.");
}

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

void BiasGelu(const Call& call) {
  const auto x = call.Input(0), bias = call.Input(1);
  const size_t D = bias.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D, "BiasGelu");
  float* y = call.Output(0, x.shape);
  const Blocks blocks(N, D);
  call.Parallel(blocks.count, [&](size_t i) { kernels::BiasGelu(blocks.at(i, N, D), x.data, bias.data, y); });
}

void BiasGeluGradient(const Call& call) {
  const auto dy = call.Input(0), x = call.Input(1), bias = call.Input(2);
  const size_t D = bias.size;
  const size_t N = D == 0 ? 0 : x.size / D;
  Require(x.columns() == D && dy.size == x.size, "BiasGeluGradient");
  float* dx = call.Output(0, x.shape);
  float* d_bias = call.Output(1, bias.shape);
  const Blocks blocks(N, D);
  std::vector<float> parts(blocks.count * D);
  call.Parallel(blocks.count, [&](size_t i) {
    kernels::BiasGeluGradient(blocks.at(i, N, D), dy.data, x.data, bias.data, dx, parts.data() + i * D);
  });
  SumParts(call, parts, blocks.count, D, d_bias);
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

/** A kernel whose attributes have been read. */
struct Kernel {
  Table api;
  std::function<void(const Call&)> compute;
};

using Prepare = std::function<void(const Call&)> (*)(Table, const ort::KernelInfo*);

float Attribute(Table api, const ort::KernelInfo* info, const char* name) {
  float value = 0;
  Check(api, ort::KernelInfoGetFloat::call(api, info, name, &value));
  return value;
}

/** All tensors are float32 and required. */
struct Op : ort::CustomOp {
  const char* name;
  size_t inputs;
  size_t outputs;
  Prepare prepare;

  Op(const char* op_name, size_t input_count, size_t output_count, Prepare prepare_kernel)
      : ort::CustomOp{}, name(op_name), inputs(input_count), outputs(output_count), prepare(prepare_kernel) {
    version = 17;
    GetName = [](const ort::CustomOp* op) { return self(op).name; };
    GetExecutionProviderType = [](const ort::CustomOp*) -> const char* { return nullptr; };
    GetInputType = [](const ort::CustomOp*, size_t) { return ort::kFloat; };
    GetInputTypeCount = [](const ort::CustomOp* op) { return self(op).inputs; };
    GetOutputType = [](const ort::CustomOp*, size_t) { return ort::kFloat; };
    GetOutputTypeCount = [](const ort::CustomOp* op) { return self(op).outputs; };
    GetInputCharacteristic = [](const ort::CustomOp*, size_t) { return ort::kRequired; };
    GetOutputCharacteristic = [](const ort::CustomOp*, size_t) { return ort::kRequired; };
    GetInputMemoryType = [](const ort::CustomOp*, size_t) { return ort::kMemDefault; };
    GetVariadicInputMinArity = [](const ort::CustomOp*) { return 0; };
    GetVariadicInputHomogeneity = [](const ort::CustomOp*) { return 0; };
    GetVariadicOutputMinArity = [](const ort::CustomOp*) { return 0; };
    GetVariadicOutputHomogeneity = [](const ort::CustomOp*) { return 0; };
    GetStartVersion = [](const ort::CustomOp*) { return 1; };
    GetEndVersion = [](const ort::CustomOp*) { return std::numeric_limits<int>::max(); };
    KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
    CreateKernelV2 = [](const ort::CustomOp* op, Table api, const ort::KernelInfo* info, void** out) {
      return Guarded(api, [&] { *out = new Kernel{api, self(op).prepare(api, info)}; });
    };
    KernelComputeV2 = [](void* pointer, ort::KernelContext* context) {
      const Kernel& kernel = *static_cast<Kernel*>(pointer);
      return Guarded(kernel.api, [&] { kernel.compute(Call(kernel.api, context)); });
    };
  }

 private:
  static const Op& self(const ort::CustomOp* op) { return *static_cast<const Op*>(op); }

  template <typename Body>
  static Status* Guarded(Table api, Body body) {
    try {
      body();
      return nullptr;
    } catch (const std::exception& error) {
      return ort::CreateStatus::call(api, ort::kFail, error.what());
    }
  }
};

template <void (*Compute)(const Call&)>
std::function<void(const Call&)> Plain(Table, const ort::KernelInfo*) {
  return Compute;
}

std::function<void(const Call&)> PrepareAddLayerNorm(Table api, const ort::KernelInfo* info) {
  const float epsilon = Attribute(api, info, "epsilon");
  return [epsilon](const Call& call) { AddLayerNorm(call, epsilon); };
}

std::function<void(const Call&)> PrepareAdamW(Table api, const ort::KernelInfo* info) {
  const AdamWAttributes attributes = {Attribute(api, info, "beta1"),   Attribute(api, info, "one_minus_beta1"),
                                      Attribute(api, info, "beta2"),   Attribute(api, info, "one_minus_beta2"),
                                      Attribute(api, info, "epsilon"), Attribute(api, info, "weight_decay")};
  return [attributes](const Call& call) { AdamW(call, attributes); };
}

const Op kOps[] = {
    {"LayerNormGradient", 5, 3, Plain<LayerNormGradient>},
    {"AddLayerNorm", 4, 4, PrepareAddLayerNorm},
    {"BiasGelu", 2, 1, Plain<BiasGelu>},
    {"BiasGeluGradient", 3, 2, Plain<BiasGeluGradient>},
    {"AdamW", 8, 1, PrepareAdamW},
};

}  // namespace

Status* CreateDomain(Table api, ort::CustomOpDomain** out) {
  Status* status = ort::CreateCustomOpDomain::call(api, kDomain, out);
  for (const Op& op : kOps) {
    if (status == nullptr) status = ort::CustomOpDomainAdd::call(api, *out, &op);
  }
  return status;
}

}  // namespace custom_ops
