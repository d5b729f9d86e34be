/**
 * The functions for devices that the addon exports to JavaScript:
 *   openDevice({ library, preload, cuda }) → device
 *   deviceVersion(device) → ONNX Runtime's version
 *   allocate(device, bytes) → memory
 *   writeMemory(memory, offset, array), readMemory(memory, offset, array)
 *   createBoundSession(device, model, { threads, optimization, profile, logLevel, external, provider, inputs, outputs
 * }) → session runBound(session), endBoundProfiling(session) releaseBound(session), freeMemory(memory) provider: [key,
 * value][]; inputs and outputs: { name, type, shape, memory, offset }[], offsets in bytes.
 */
#include "device_addon.h"

#include "device.h"
#include "js.h"

namespace {

using namespace js;
using device::BoundSession;
using device::Device;
using device::Memory;

std::shared_ptr<Device>& DeviceOf(napi_env env, napi_value handle) {
  return Unwrapped<Device>(env, handle, "the device has been closed.");
}
std::shared_ptr<Memory>& MemoryOf(napi_env env, napi_value handle) {
  return Unwrapped<Memory>(env, handle, "the memory has been freed.");
}
std::shared_ptr<BoundSession>& SessionOf(napi_env env, napi_value handle) {
  return Unwrapped<BoundSession>(env, handle, "the session has been released.");
}

size_t Size(napi_env env, napi_value value) {
  int64_t number = 0;
  Js(napi_get_value_int64(env, value, &number));
  if (number < 0) throw std::runtime_error("a size or an offset is negative.");
  return static_cast<size_t>(number);
}

napi_value OpenDevice(napi_env env, const napi_value* args) {
  device::DeviceOptions options;
  options.library = String(env, Property(env, args[0], "library"));
  for (napi_value path : Elements(env, Property(env, args[0], "preload"))) options.preload.push_back(String(env, path));
  Js(napi_get_value_bool(env, Property(env, args[0], "cuda"), &options.cuda));
  return Wrapped(env, std::make_shared<Device>(options));
}

napi_value DeviceVersion(napi_env env, const napi_value* args) {
  const std::string& version = DeviceOf(env, args[0])->version;
  napi_value text;
  Js(napi_create_string_utf8(env, version.c_str(), version.size(), &text));
  return text;
}

napi_value Allocate(napi_env env, const napi_value* args) {
  return Wrapped(env, std::make_shared<Memory>(DeviceOf(env, args[0]), Size(env, args[1])));
}

napi_value WriteMemory(napi_env env, const napi_value* args) {
  const Bytes bytes = BytesOf(env, args[2]);
  MemoryOf(env, args[0])->Write(Size(env, args[1]), bytes.data, bytes.size);
  return nullptr;
}

napi_value ReadMemory(napi_env env, const napi_value* args) {
  const Bytes bytes = BytesOf(env, args[2]);
  MemoryOf(env, args[0])->Read(Size(env, args[1]), bytes.data, bytes.size);
  return nullptr;
}

std::vector<device::Bound> BoundOf(napi_env env, napi_value tensors) {
  std::vector<device::Bound> bound;
  for (napi_value tensor : Elements(env, tensors)) {
    device::Bound each;
    each.name = String(env, Property(env, tensor, "name"));
    each.type = Integer(env, Property(env, tensor, "type"));
    for (napi_value d : Elements(env, Property(env, tensor, "shape"))) each.shape.push_back(Integer(env, d));
    each.memory = MemoryOf(env, Property(env, tensor, "memory"));
    each.offset = Size(env, Property(env, tensor, "offset"));
    bound.push_back(std::move(each));
  }
  return bound;
}

napi_value CreateBoundSession(napi_env env, const napi_value* args) {
  const Bytes model = BytesOf(env, args[1]);
  device::BoundOptions options;
  options.threads = Integer(env, Property(env, args[2], "threads"));
  options.optimization = Integer(env, Property(env, args[2], "optimization"));
  options.profile = String(env, Property(env, args[2], "profile"));
  options.log_level = Integer(env, Property(env, args[2], "logLevel"));
  for (napi_value each : Elements(env, Property(env, args[2], "external"))) {
    const Bytes bytes = BytesOf(env, Property(env, each, "data"));
    options.external.emplace_back(String(env, Property(env, each, "path")), static_cast<char*>(bytes.data));
    options.external_bytes.push_back(bytes.size);
  }
  for (napi_value pair : Elements(env, Property(env, args[2], "provider"))) {
    const std::vector<napi_value> both = Elements(env, pair);
    if (both.size() != 2) throw std::runtime_error("an option of the provider is not a pair.");
    options.provider.emplace_back(String(env, both[0]), String(env, both[1]));
  }
  options.inputs = BoundOf(env, Property(env, args[2], "inputs"));
  options.outputs = BoundOf(env, Property(env, args[2], "outputs"));
  return Wrapped(env, std::make_shared<BoundSession>(DeviceOf(env, args[0]), model.data, model.size, options));
}

napi_value RunBound(napi_env env, const napi_value* args) {
  SessionOf(env, args[0])->Run();
  return nullptr;
}

napi_value EndBoundProfiling(napi_env env, const napi_value* args) {
  SessionOf(env, args[0])->EndProfiling();
  return nullptr;
}

napi_value ReleaseBound(napi_env env, const napi_value* args) {
  SessionOf(env, args[0]).reset();
  return nullptr;
}

/** Sessions that are bound to it keep it. */
napi_value FreeMemory(napi_env env, const napi_value* args) {
  MemoryOf(env, args[0]).reset();
  return nullptr;
}

}  // namespace

void ExportDevice(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback callback;
  } functions[] = {{"openDevice", Exported<1, OpenDevice>},     {"deviceVersion", Exported<1, DeviceVersion>},
                   {"allocate", Exported<2, Allocate>},         {"writeMemory", Exported<3, WriteMemory>},
                   {"readMemory", Exported<3, ReadMemory>},     {"createBoundSession", Exported<3, CreateBoundSession>},
                   {"runBound", Exported<1, RunBound>},         {"endBoundProfiling", Exported<1, EndBoundProfiling>},
                   {"releaseBound", Exported<1, ReleaseBound>}, {"freeMemory", Exported<1, FreeMemory>}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
}
