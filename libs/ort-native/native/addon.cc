/**
 * The functions that the addon exports to JavaScript (Node-API; no C++ exception crosses it):
 *   open(path) → version
 *   createSession(model, { threads, optimization, spinning, profile, external: { path, data }[] }) → session
 *   run(session, inputs, outputs) → results
 *   runAsync(session, inputs, outputs) → promise of results, computed on a thread of libuv's pool
 *   endProfiling(session)
 *   release(session)
 * Functions for devices are in device_addon.cc.
 * inputs: { name, type, shape, data }[]; outputs: { name, type?, shape?, data? }[]. With data, the result is written
 * there; without, it comes back as { type, buffer }. Types are ONNX's element types.
 */
#include <node_api.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "device_addon.h"
#include "js.h"
#include "runtime.h"

namespace {

using namespace js;
using runtime::Session;

/** Tensors of one run, over JavaScript's memory where JavaScript gave it. */
struct Job {
  std::vector<std::string> names;
  std::vector<const ort::Value*> inputs;
  std::vector<ort::Value*> outputs;
  std::vector<bool> given;

  ~Job() {
    for (const ort::Value* value : inputs) ort::ReleaseValue::call(runtime::Api(), const_cast<ort::Value*>(value));
    for (ort::Value* value : outputs) ort::ReleaseValue::call(runtime::Api(), value);
  }

  void Run(Session& session) {
    std::vector<const char*> in, out;
    for (size_t i = 0; i < names.size(); i++) (i < inputs.size() ? in : out).push_back(names[i].c_str());
    session.Run(in, inputs, out, outputs);
  }
};

ort::Value* Wrap(napi_env env, napi_value tensor, napi_value data) {
  std::vector<int64_t> shape;
  for (napi_value d : Elements(env, Property(env, tensor, "shape"))) shape.push_back(Integer(env, d));
  const Bytes bytes = BytesOf(env, data);
  static char nothing[1];
  ort::Value* value = nullptr;
  runtime::Check(ort::CreateTensorWithData::call(runtime::Api(), runtime::CpuMemory(),
                                                 bytes.data ? bytes.data : nothing, bytes.size, shape.data(),
                                                 shape.size(), Integer(env, Property(env, tensor, "type")), &value));
  return value;
}

/** What a JavaScript handle points to; empty after its release. A run under way keeps its session. */
using Handle = std::shared_ptr<Session>;

Handle& SessionOf(napi_env env, napi_value handle) {
  void* pointer = nullptr;
  Js(napi_get_value_external(env, handle, &pointer));
  auto& session = *static_cast<Handle*>(pointer);
  if (session == nullptr) throw std::runtime_error("the session has been released.");
  return session;
}

void Fill(napi_env env, napi_value inputs, napi_value outputs, Job& job) {
  for (napi_value input : Elements(env, inputs)) {
    job.inputs.push_back(Wrap(env, input, Property(env, input, "data")));
    job.names.push_back(String(env, Property(env, input, "name")));
  }
  for (napi_value output : Elements(env, outputs)) {
    napi_value data = Property(env, output, "data");
    const bool given = !IsUndefined(env, data);
    job.outputs.push_back(given ? Wrap(env, output, data) : nullptr);
    job.given.push_back(given);
    job.names.push_back(String(env, Property(env, output, "name")));
  }
}

/** A copy of an output that ONNX Runtime allocated: { type, buffer }. */
napi_value ResultOf(napi_env env, ort::Value* value) {
  ort::Table api = runtime::Api();
  ort::TensorInfo* info = nullptr;
  runtime::Check(ort::GetTensorTypeAndShape::call(api, value, &info));
  int type = 0;
  size_t count = 0;
  ort::Status* status = ort::GetTensorElementType::call(api, info, &type);
  if (status == nullptr) status = ort::GetTensorShapeElementCount::call(api, info, &count);
  ort::ReleaseTensorInfo::call(api, info);
  runtime::Check(status);
  const size_t width = type == ort::kInt64                          ? 8
                       : type == ort::kFloat || type == ort::kInt32 ? 4
                       : type == ort::kFloat16                      ? 2
                       : type == ort::kBool || type == ort::kUint8  ? 1
                                                                    : 0;
  if (width == 0) throw std::runtime_error("outputs of element type " + std::to_string(type) + " are not supported.");
  void* data = nullptr;
  runtime::Check(ort::GetTensorMutableData::call(api, value, &data));
  napi_value result, buffer, number;
  void* copy = nullptr;
  Js(napi_create_arraybuffer(env, count * width, &copy, &buffer));
  if (count > 0) std::copy_n(static_cast<char*>(data), count * width, static_cast<char*>(copy));
  Js(napi_create_object(env, &result));
  Js(napi_create_int32(env, type, &number));
  Js(napi_set_named_property(env, result, "type", number));
  Js(napi_set_named_property(env, result, "buffer", buffer));
  return result;
}

/** An array with a result for each output; null for those that were written where JavaScript asked. */
napi_value Results(napi_env env, const Job& job) {
  napi_value results;
  Js(napi_create_array_with_length(env, job.outputs.size(), &results));
  for (size_t i = 0; i < job.outputs.size(); i++) {
    napi_value result;
    if (job.given[i]) {
      Js(napi_get_null(env, &result));
    } else {
      result = ResultOf(env, job.outputs[i]);
    }
    Js(napi_set_element(env, results, static_cast<uint32_t>(i), result));
  }
  return results;
}

napi_value Open(napi_env env, const napi_value* args) {
  napi_value version;
  Js(napi_create_string_utf8(env, runtime::Open(String(env, args[0])), NAPI_AUTO_LENGTH, &version));
  return version;
}

napi_value CreateSession(napi_env env, const napi_value* args) {
  const Bytes model = BytesOf(env, args[0]);
  runtime::Options options;
  options.threads = Integer(env, Property(env, args[1], "threads"));
  options.optimization = Integer(env, Property(env, args[1], "optimization"));
  Js(napi_get_value_bool(env, Property(env, args[1], "spinning"), &options.spinning));
  options.profile = String(env, Property(env, args[1], "profile"));
  for (napi_value each : Elements(env, Property(env, args[1], "external"))) {
    const Bytes bytes = BytesOf(env, Property(env, each, "data"));
    options.external.push_back({String(env, Property(env, each, "path")), static_cast<char*>(bytes.data), bytes.size});
  }
  auto session = std::make_unique<Handle>(std::make_shared<Session>(model.data, model.size, options));
  auto finalize = [](napi_env, void* pointer, void*) { delete static_cast<Handle*>(pointer); };
  napi_value handle;
  Js(napi_create_external(env, session.get(), finalize, nullptr, &handle));
  session.release();
  return handle;
}

napi_value Run(napi_env env, const napi_value* args) {
  Session& session = *SessionOf(env, args[0]);
  Job job;
  Fill(env, args[1], args[2], job);
  job.Run(session);
  return Results(env, job);
}

/** A run on another thread. JavaScript's arrays are kept from the garbage collector until it is done. */
struct Pending {
  Handle session;
  Job job;
  std::string error;
  bool failed = false;
  napi_ref arrays = nullptr;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void Execute(napi_env, void* data) {
  auto& pending = *static_cast<Pending*>(data);
  try {
    pending.job.Run(*pending.session);
  } catch (const std::exception& error) {
    pending.failed = true;
    pending.error = error.what();
  }
}

void Complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Pending> pending(static_cast<Pending*>(data));
  napi_value outcome = nullptr;
  if (status != napi_ok) {
    outcome = Error(env, "the run was cancelled.");
  } else if (pending->failed) {
    outcome = Error(env, pending->error);
  } else {
    try {
      outcome = Results(env, pending->job);
      napi_resolve_deferred(env, pending->deferred, outcome);
      pending->deferred = nullptr;
    } catch (const JsException&) {
      if (napi_get_and_clear_last_exception(env, &outcome) != napi_ok) outcome = Error(env, "no memory for results.");
    } catch (const std::exception& error) {
      outcome = Error(env, error.what());
    }
  }
  if (pending->deferred != nullptr) napi_reject_deferred(env, pending->deferred, outcome);
  napi_delete_reference(env, pending->arrays);
  napi_delete_async_work(env, pending->work);
}

napi_value RunAsync(napi_env env, const napi_value* args) {
  auto pending = std::make_unique<Pending>();
  pending->session = SessionOf(env, args[0]);
  Fill(env, args[1], args[2], pending->job);
  napi_value kept, name, promise;
  Js(napi_create_array_with_length(env, 2, &kept));
  Js(napi_set_element(env, kept, 0, args[1]));
  Js(napi_set_element(env, kept, 1, args[2]));
  Js(napi_create_string_utf8(env, "ort-native run", NAPI_AUTO_LENGTH, &name));
  Js(napi_create_reference(env, kept, 1, &pending->arrays));
  Js(napi_create_async_work(env, nullptr, name, Execute, Complete, pending.get(), &pending->work));
  Js(napi_create_promise(env, &pending->deferred, &promise));
  Js(napi_queue_async_work(env, pending->work));
  pending.release();
  return promise;
}

napi_value EndProfiling(napi_env env, const napi_value* args) {
  SessionOf(env, args[0])->EndProfiling();
  return nullptr;
}

napi_value Release(napi_env env, const napi_value* args) {
  SessionOf(env, args[0]).reset();
  return nullptr;
}

napi_value Init(napi_env env, napi_value exports) {
  const struct {
    const char* name;
    napi_callback callback;
  } functions[] = {{"open", Exported<1, Open>},
                   {"createSession", Exported<2, CreateSession>},
                   {"run", Exported<3, Run>},
                   {"runAsync", Exported<3, RunAsync>},
                   {"endProfiling", Exported<1, EndProfiling>},
                   {"release", Exported<1, Release>}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  ExportDevice(env, exports);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
