#include "runtime.h"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>

#include "custom_ops.h"

namespace runtime {
namespace {

constexpr int kWarning = 2;
constexpr int kError = 3;
constexpr int kArenaAllocator = 1;

// Alive until the process ends: sessions of onnxruntime-node use the same environment.
ort::Table api = nullptr;
ort::Env* env = nullptr;
ort::MemoryInfo* cpu_memory = nullptr;
ort::CustomOpDomain* domain = nullptr;
const char* version = nullptr;

struct SessionOptions {
  ort::SessionOptions* value = nullptr;
  SessionOptions() { Check(ort::CreateSessionOptions::call(api, &value)); }
  ~SessionOptions() { ort::ReleaseSessionOptions::call(api, value); }
};

}  // namespace

void Check(ort::Status* status) {
  if (status == nullptr) return;
  const std::string message = ort::GetErrorMessage::call(api, status);
  ort::ReleaseStatus::call(api, status);
  throw std::runtime_error(message);
}

const char* Open(const std::string& path) {
  // Worker threads load the addon too.
  static std::mutex opening;
  const std::lock_guard<std::mutex> lock(opening);
  if (domain != nullptr) return version;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  auto base = reinterpret_cast<const ort::ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  const ort::ApiBase* functions = base == nullptr ? nullptr : base();
  if (functions == nullptr) throw std::runtime_error(path + " is not ONNX Runtime: it has no OrtGetApiBase.");
  version = functions->GetVersionString();
  if (version == nullptr) version = "of an unknown version";
  api = functions->GetApi(ort::kApiVersion);
  if (api == nullptr) {
    throw std::runtime_error("ONNX Runtime " + std::string(version) + " (" + path + ") does not offer version " +
                             std::to_string(ort::kApiVersion) +
                             " of its C API, as 1.18 to 1.30 do: install the onnxruntime-node that ort-native names.");
  }
  Check(ort::CreateEnv::call(api, kWarning, "ort-native", &env));
  Check(ort::CreateCpuMemoryInfo::call(api, kArenaAllocator, ort::kMemDefault, &cpu_memory));
  ort::ArenaCfg* arena = nullptr;
  Check(ort::CreateArenaCfg::call(api, 0, -1, -1, -1, &arena));
  ort::Status* status = ort::CreateAndRegisterAllocator::call(api, env, cpu_memory, arena);
  ort::ReleaseArenaCfg::call(api, arena);
  Check(status);
  Check(custom_ops::CreateDomain(api, &domain));
  return version;
}

ort::Table Api() { return api; }
const ort::MemoryInfo* CpuMemory() { return cpu_memory; }

Session::Session(const void* model, size_t bytes, const Options& options) {
  SessionOptions session_options;
  ort::SessionOptions* o = session_options.value;
  Check(ort::SetSessionLogSeverityLevel::call(api, o, kError));
  Check(ort::SetSessionGraphOptimizationLevel::call(api, o, options.optimization));
  Check(ort::SetIntraOpNumThreads::call(api, o, options.threads));
  // A memory pattern is a second block beside the arena for each session, as large as all that is alive at once.
  Check(ort::DisableMemPattern::call(api, o));
  Check(ort::AddSessionConfigEntry::call(api, o, "session.use_env_allocators", "1"));
  Check(ort::AddSessionConfigEntry::call(api, o, "session.intra_op.allow_spinning", options.spinning ? "1" : "0"));
  Check(ort::AddCustomOpDomain::call(api, o, domain));
  if (!options.profile.empty()) Check(ort::EnableProfiling::call(api, o, options.profile.c_str()));
  if (!options.external.empty()) {
    std::vector<const char*> names;
    std::vector<char*> buffers;
    std::vector<size_t> sizes;
    for (const External& each : options.external) {
      names.push_back(each.name.c_str());
      buffers.push_back(each.data);
      sizes.push_back(each.bytes);
    }
    Check(ort::AddExternalInitializersInMemory::call(api, o, names.data(), buffers.data(), sizes.data(), names.size()));
  }
  Check(ort::CreateSessionFromArray::call(api, env, model, bytes, o, &session_));
}

Session::~Session() { ort::ReleaseSession::call(api, session_); }

void Session::Run(const std::vector<const char*>& input_names, const std::vector<const ort::Value*>& inputs,
                  const std::vector<const char*>& output_names, std::vector<ort::Value*>& outputs) {
  Check(ort::Run::call(api, session_, nullptr, input_names.data(), inputs.data(), inputs.size(), output_names.data(),
                       outputs.size(), outputs.data()));
}

void Session::EndProfiling() {
  ort::Allocator* allocator = nullptr;
  Check(ort::GetDefaultAllocator::call(api, &allocator));
  char* file = nullptr;
  Check(ort::SessionEndProfiling::call(api, session_, allocator, &file));
  Check(ort::AllocatorFree::call(api, allocator, file));
}

}  // namespace runtime
