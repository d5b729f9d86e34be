/** What ONNX Runtime asks of a custom op, from its name, its counts and a function that computes. */
#pragma once

#include <exception>
#include <limits>

#include "call.h"

namespace custom_ops {

/** A kernel whose attributes have been read. */
struct Kernel {
  Table api;
  std::function<void(const Call&)> compute;
};

using PrepareKernel = std::function<void(const Call&)> (*)(Table, const ort::KernelInfo*);

inline float Attribute(Table api, const ort::KernelInfo* info, const char* name) {
  float value = 0;
  Check(api, ort::KernelInfoGetFloat::call(api, info, name, &value));
  return value;
}

/** An attribute that is a size; a negative one is an error. */
inline size_t Size(Table api, const ort::KernelInfo* info, const char* name) {
  int64_t value = 0;
  Check(api, ort::KernelInfoGetInt64::call(api, info, name, &value));
  if (value < 0) throw std::runtime_error(std::string(name) + " is negative.");
  return static_cast<size_t>(value);
}

/** Inputs of an op that takes any number of them, from one on. */
constexpr size_t kAnyNumber = 0;

/** All tensors are float32 and required. */
struct Op : ort::CustomOp {
  const char* name;
  size_t inputs;
  size_t outputs;
  PrepareKernel prepare;

  Op(const char* op_name, size_t input_count, size_t output_count, PrepareKernel prepare_kernel)
      : ort::CustomOp{}, name(op_name), inputs(input_count), outputs(output_count), prepare(prepare_kernel) {
    version = 17;
    GetName = [](const ort::CustomOp* op) { return self(op).name; };
    GetExecutionProviderType = [](const ort::CustomOp*) -> const char* { return nullptr; };
    GetInputType = [](const ort::CustomOp*, size_t) { return ort::kFloat; };
    GetInputTypeCount = [](const ort::CustomOp* op) { return std::max<size_t>(1, self(op).inputs); };
    GetOutputType = [](const ort::CustomOp*, size_t) { return ort::kFloat; };
    GetOutputTypeCount = [](const ort::CustomOp* op) { return self(op).outputs; };
    GetInputCharacteristic = [](const ort::CustomOp* op, size_t) {
      return self(op).inputs == kAnyNumber ? ort::kVariadic : ort::kRequired;
    };
    GetOutputCharacteristic = [](const ort::CustomOp*, size_t) { return ort::kRequired; };
    GetInputMemoryType = [](const ort::CustomOp*, size_t) { return ort::kMemDefault; };
    GetVariadicInputMinArity = [](const ort::CustomOp*) { return 1; };
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

}  // namespace custom_ops
