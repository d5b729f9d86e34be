/** One call of a custom op: its tensors, and work shared among the threads of the session. */
#pragma once

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.h"
#include "ort_api.h"

namespace custom_ops {

using ort::Status;
using ort::Table;

/** An error on its way to ONNX Runtime, which turns it into the failure of the run. */
inline void Check(Table api, Status* status) {
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
inline void SumParts(const Call& call, const std::vector<float>& parts, size_t count, size_t D, float* sums) {
  constexpr size_t kColumns = 512;
  call.Parallel((D + kColumns - 1) / kColumns, [&](size_t i) {
    kernels::SumRows(i * kColumns, std::min(D, (i + 1) * kColumns), D, count, parts.data(), sums);
  });
}

inline void Require(bool condition, const char* op) {
  if (!condition) throw std::runtime_error(std::string(op) + ": the shapes of the inputs do not fit together.");
}

}  // namespace custom_ops
