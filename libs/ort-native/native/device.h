/**
 * A device with memory of its own, and sessions whose inputs and outputs stay there: ONNX Runtime's CUDA provider in
 * the library that belongs to it, or the CPU provider, for which the device's memory is main memory. Both take the same
 * path.
 */
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ort_api.h"

namespace device {

/** Allocates and copies. Copies are complete when they return. @throws std::runtime_error */
class Heap {
 public:
  virtual ~Heap() = default;
  virtual void* Allocate(size_t bytes) = 0;
  virtual void Free(void*) = 0;
  virtual void Clear(void* target, size_t bytes) = 0;
  virtual void CopyIn(void* target, const void* source, size_t bytes) = 0;
  virtual void CopyOut(void* target, const void* source, size_t bytes) = 0;
};

struct DeviceOptions {
  /** ONNX Runtime's library; the CUDA provider lies beside it. */
  std::string library;
  /** Libraries that the provider needs, each after those that it needs itself. */
  std::vector<std::string> preload;
  bool cuda = false;
};

class Device {
 public:
  explicit Device(const DeviceOptions&);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  void Check(ort::Status*) const;
  /** One arena for all sessions: those of several input shapes do not keep blocks of their own. */
  void ShareArena();

  ort::Table api = nullptr;
  ort::Env* env = nullptr;
  ort::MemoryInfo* memory_info = nullptr;
  std::unique_ptr<Heap> heap;
  std::string version;
  bool cuda;
};

/** A block of the device's memory, zeros at first. */
class Memory {
 public:
  Memory(std::shared_ptr<Device>, size_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /** @throws std::runtime_error where the range does not lie inside. */
  char* At(size_t offset, size_t bytes) const;
  void Write(size_t offset, const void* source, size_t bytes);
  void Read(size_t offset, void* target, size_t bytes) const;

  const size_t size;

 private:
  std::shared_ptr<Device> device_;
  void* data_ = nullptr;
};

/** A tensor of a model, and the place in memory that is bound to it. */
struct Bound {
  std::string name;
  int type;
  std::vector<int64_t> shape;
  std::shared_ptr<Memory> memory;
  size_t offset;
};

struct BoundOptions {
  int threads = 0;
  int optimization = 99;
  std::string profile;
  /** 0 verbose to 4 fatal. */
  int log_level = 3;
  std::vector<std::pair<std::string, char*>> external;
  std::vector<size_t> external_bytes;
  /** Options of the CUDA provider; must be empty for the CPU. */
  std::vector<std::pair<std::string, std::string>> provider;
  std::vector<Bound> inputs;
  std::vector<Bound> outputs;
};

/** A session that always reads and writes the same places. Runs on the calling thread. */
class BoundSession {
 public:
  BoundSession(std::shared_ptr<Device>, const void* model, size_t bytes, const BoundOptions&);
  ~BoundSession();
  BoundSession(const BoundSession&) = delete;
  BoundSession& operator=(const BoundSession&) = delete;

  void Run();
  void EndProfiling();

 private:
  void Bind(const Bound&, bool is_input);
  void Release();

  std::shared_ptr<Device> device_;
  std::vector<std::shared_ptr<Memory>> kept_;
  std::vector<ort::Value*> values_;
  ort::Session* session_ = nullptr;
  ort::IoBinding* binding_ = nullptr;
};

}  // namespace device
