#include "device.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace device {
namespace {

constexpr int kWarning = 2;
constexpr int kDeviceAllocator = 0;
constexpr int kArenaAllocator = 1;
constexpr int kSameAsRequested = 1;

void* Open(const std::string& path, int flags) {
  void* library = dlopen(path.c_str(), flags);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return library;
}

class HostHeap : public Heap {
 public:
  void* Allocate(size_t bytes) override {
    void* data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (data == nullptr) throw std::runtime_error("no memory for " + std::to_string(bytes) + " bytes.");
    return data;
  }
  void Free(void* data) override { std::free(data); }
  void Clear(void* target, size_t bytes) override { std::memset(target, 0, bytes); }
  void CopyIn(void* target, const void* source, size_t bytes) override { std::memcpy(target, source, bytes); }
  void CopyOut(void* target, const void* source, size_t bytes) override { std::memcpy(target, source, bytes); }
};

/** Memory of the first GPU through CUDA's runtime library. */
class CudaHeap : public Heap {
 public:
  explicit CudaHeap(void* cudart) {
    Find(cudart, "cudaMalloc", malloc_);
    Find(cudart, "cudaFree", free_);
    Find(cudart, "cudaMemset", memset_);
    Find(cudart, "cudaMemcpy", memcpy_);
    Find(cudart, "cudaDeviceSynchronize", synchronize_);
    Find(cudart, "cudaGetErrorString", error_string_);
  }

  void* Allocate(size_t bytes) override {
    void* data = nullptr;
    Check(malloc_(&data, bytes), "cudaMalloc of " + std::to_string(bytes) + " bytes");
    return data;
  }
  void Free(void* data) override { free_(data); }
  void Clear(void* target, size_t bytes) override {
    Check(memset_(target, 0, bytes), "cudaMemset");
    Check(synchronize_(), "cudaDeviceSynchronize");
  }
  /** ONNX Runtime's stream does not wait for the default one, so nothing may be under way afterwards. */
  void CopyIn(void* target, const void* source, size_t bytes) override {
    Check(memcpy_(target, source, bytes, kHostToDevice), "cudaMemcpy to the device");
    Check(synchronize_(), "cudaDeviceSynchronize");
  }
  void CopyOut(void* target, const void* source, size_t bytes) override {
    Check(synchronize_(), "cudaDeviceSynchronize");
    Check(memcpy_(target, source, bytes, kDeviceToHost), "cudaMemcpy from the device");
  }

 private:
  static constexpr int kHostToDevice = 1;
  static constexpr int kDeviceToHost = 2;

  template <typename T>
  static void Find(void* library, const char* name, T& function) {
    function = reinterpret_cast<T>(dlsym(library, name));
    if (function == nullptr) throw std::runtime_error(std::string("CUDA's runtime library lacks ") + name + ".");
  }

  void Check(int code, const std::string& what) const {
    if (code != 0) throw std::runtime_error(what + " failed: " + error_string_(code) + ".");
  }

  int (*malloc_)(void**, size_t);
  int (*free_)(void*);
  int (*memset_)(void*, int, size_t);
  int (*memcpy_)(void*, const void*, size_t, int kind);
  int (*synchronize_)();
  const char* (*error_string_)(int);
};

struct SessionOptions {
  explicit SessionOptions(const Device& device) : api(device.api) {
    device.Check(ort::CreateSessionOptions::call(api, &value));
  }
  ~SessionOptions() { ort::ReleaseSessionOptions::call(api, value); }
  ort::Table api;
  ort::SessionOptions* value = nullptr;
};

void AppendCuda(const Device& device, ort::SessionOptions* options,
                const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : settings) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  ort::CudaProviderOptions* cuda = nullptr;
  device.Check(ort::CreateCudaProviderOptions::call(device.api, &cuda));
  ort::Status* status = ort::UpdateCudaProviderOptions::call(device.api, cuda, keys.data(), values.data(), keys.size());
  if (status == nullptr) status = ort::AppendCudaProvider::call(device.api, options, cuda);
  ort::ReleaseCudaProviderOptions::call(device.api, cuda);
  device.Check(status);
}

}  // namespace

Device::Device(const DeviceOptions& options) : cuda(options.cuda) {
  void* cudart = nullptr;
  for (const std::string& path : options.preload) {
    void* library = Open(path, RTLD_NOW | RTLD_GLOBAL);
    if (path.find("libcudart.so") != std::string::npos) cudart = library;
  }
  if (cuda && cudart == nullptr) throw std::runtime_error("libcudart is not among the libraries to open first.");
  heap = cuda ? std::unique_ptr<Heap>(new CudaHeap(cudart)) : std::unique_ptr<Heap>(new HostHeap());

  // Libraries stay open until the process ends: environments and providers are not made to be unloaded.
  void* library = Open(options.library, RTLD_NOW | RTLD_LOCAL);
  auto base = reinterpret_cast<const ort::ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (base == nullptr) throw std::runtime_error(options.library + " does not export OrtGetApiBase.");
  version = base()->GetVersionString();
  api = base()->GetApi(ort::kApiVersion);
  if (api == nullptr) throw std::runtime_error("ONNX Runtime " + version + " is too old; 1.18 and later will do.");
  Check(ort::CreateEnv::call(api, kWarning, "ort-native device", &env));
  Check(ort::CreateMemoryInfo::call(api, cuda ? "Cuda" : "Cpu", kDeviceAllocator, 0, ort::kMemDefault, &memory_info));
  // The CPU's is shared already (runtime.cc). Where driver or provider are missing, registering an allocator would end
  // the process, so both are asked first.
  if (cuda) {
    heap->Free(heap->Allocate(1));
    const SessionOptions trial(*this);
    AppendCuda(*this, trial.value, {});
    ShareArena();
  }
}

void Device::ShareArena() {
  ort::MemoryInfo* arena_info = nullptr;
  ort::ArenaCfg* arena = nullptr;
  ort::Status* status = ort::CreateMemoryInfo::call(api, "Cuda", kArenaAllocator, 0, ort::kMemDefault, &arena_info);
  if (status == nullptr) status = ort::CreateArenaCfg::call(api, 0, kSameAsRequested, -1, -1, &arena);
  if (status == nullptr) {
    status = ort::CreateAndRegisterProviderAllocator::call(api, env, "CUDAExecutionProvider", arena_info, arena,
                                                           nullptr, nullptr, 0);
  }
  if (arena != nullptr) ort::ReleaseArenaCfg::call(api, arena);
  if (arena_info != nullptr) ort::ReleaseMemoryInfo::call(api, arena_info);
  Check(status);
}

Device::~Device() {
  if (memory_info != nullptr) ort::ReleaseMemoryInfo::call(api, memory_info);
}

void Device::Check(ort::Status* status) const {
  if (status == nullptr) return;
  const std::string message = ort::GetErrorMessage::call(api, status);
  ort::ReleaseStatus::call(api, status);
  throw std::runtime_error(message);
}

Memory::Memory(std::shared_ptr<Device> device, size_t bytes) : size(bytes), device_(std::move(device)) {
  data_ = device_->heap->Allocate(bytes == 0 ? 1 : bytes);
  if (bytes > 0) device_->heap->Clear(data_, bytes);
}

Memory::~Memory() { device_->heap->Free(data_); }

char* Memory::At(size_t offset, size_t bytes) const {
  if (offset > size || bytes > size - offset) {
    throw std::runtime_error(std::to_string(bytes) + " bytes at " + std::to_string(offset) +
                             " do not lie in a block of " + std::to_string(size) + " bytes.");
  }
  return static_cast<char*>(data_) + offset;
}

void Memory::Write(size_t offset, const void* source, size_t bytes) {
  char* target = At(offset, bytes);
  if (bytes > 0) device_->heap->CopyIn(target, source, bytes);
}

void Memory::Read(size_t offset, void* target, size_t bytes) const {
  const char* source = At(offset, bytes);
  if (bytes > 0) device_->heap->CopyOut(target, source, bytes);
}

BoundSession::BoundSession(std::shared_ptr<Device> device, const void* model, size_t bytes, const BoundOptions& options)
    : device_(std::move(device)) {
  const Device& d = *device_;
  SessionOptions session_options(d);
  ort::SessionOptions* o = session_options.value;
  d.Check(ort::SetSessionLogSeverityLevel::call(d.api, o, options.log_level));
  d.Check(ort::SetSessionGraphOptimizationLevel::call(d.api, o, options.optimization));
  d.Check(ort::SetIntraOpNumThreads::call(d.api, o, options.threads));
  d.Check(ort::DisableMemPattern::call(d.api, o));
  d.Check(ort::AddSessionConfigEntry::call(d.api, o, "session.use_env_allocators", "1"));
  // A recorded CUDA graph writes where its values lay in the arena; only values of other runs may lie there.
  if (d.cuda) {
    d.Check(ort::AddSessionConfigEntry::call(d.api, o, "session.use_device_allocator_for_initializers", "1"));
  }
  if (!options.profile.empty()) d.Check(ort::EnableProfiling::call(d.api, o, options.profile.c_str()));
  if (!options.external.empty()) {
    std::vector<const char*> names;
    std::vector<char*> buffers;
    for (const auto& [name, data] : options.external) {
      names.push_back(name.c_str());
      buffers.push_back(data);
    }
    d.Check(ort::AddExternalInitializersInMemory::call(d.api, o, names.data(), buffers.data(),
                                                       options.external_bytes.data(), names.size()));
  }
  if (d.cuda) AppendCuda(d, o, options.provider);
  d.Check(ort::CreateSessionFromArray::call(d.api, d.env, model, bytes, o, &session_));
  try {
    d.Check(ort::CreateIoBinding::call(d.api, session_, &binding_));
    for (const Bound& each : options.inputs) Bind(each, true);
    for (const Bound& each : options.outputs) Bind(each, false);
  } catch (...) {
    Release();
    throw;
  }
}

BoundSession::~BoundSession() { Release(); }

void BoundSession::Release() {
  if (binding_ != nullptr) ort::ReleaseIoBinding::call(device_->api, binding_);
  for (ort::Value* value : values_) ort::ReleaseValue::call(device_->api, value);
  values_.clear();
  if (session_ != nullptr) ort::ReleaseSession::call(device_->api, session_);
}

void BoundSession::Bind(const Bound& bound, bool is_input) {
  size_t bytes = bound.type == ort::kInt64                                ? 8
                 : bound.type == ort::kFloat || bound.type == ort::kInt32 ? 4
                 : bound.type == ort::kFloat16                            ? 2
                                                                          : 1;
  for (int64_t d : bound.shape) bytes *= static_cast<size_t>(d);
  ort::Value* value = nullptr;
  const Device& d = *device_;
  d.Check(ort::CreateTensorWithData::call(d.api, d.memory_info, bound.memory->At(bound.offset, bytes), bytes,
                                          bound.shape.data(), bound.shape.size(), bound.type, &value));
  values_.push_back(value);
  kept_.push_back(bound.memory);
  d.Check(is_input ? ort::BindInput::call(d.api, binding_, bound.name.c_str(), value)
                   : ort::BindOutput::call(d.api, binding_, bound.name.c_str(), value));
}

void BoundSession::Run() { device_->Check(ort::RunWithBinding::call(device_->api, session_, nullptr, binding_)); }

void BoundSession::EndProfiling() {
  ort::Allocator* allocator = nullptr;
  device_->Check(ort::GetDefaultAllocator::call(device_->api, &allocator));
  char* file = nullptr;
  device_->Check(ort::SessionEndProfiling::call(device_->api, session_, allocator, &file));
  device_->Check(ort::AllocatorFree::call(device_->api, allocator, file));
}

}  // namespace device
