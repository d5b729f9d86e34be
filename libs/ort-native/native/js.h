/** Arguments and results of functions for JavaScript. Nothing here knows ONNX Runtime. */
#pragma once

#include <node_api.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace js {

/** A pending JavaScript exception is left as it is; others become one. */
struct JsException {};

inline void Js(napi_status status) {
  if (status != napi_ok) throw JsException{};
}

inline napi_value Property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  Js(napi_get_named_property(env, object, name, &value));
  return value;
}

inline bool IsUndefined(napi_env env, napi_value value) {
  napi_valuetype type;
  Js(napi_typeof(env, value, &type));
  return type == napi_undefined;
}

inline std::string String(napi_env env, napi_value value) {
  size_t length = 0;
  Js(napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  Js(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

inline int Integer(napi_env env, napi_value value) {
  int32_t number = 0;
  Js(napi_get_value_int32(env, value, &number));
  return number;
}

inline std::vector<napi_value> Elements(napi_env env, napi_value array) {
  uint32_t count = 0;
  Js(napi_get_array_length(env, array, &count));
  std::vector<napi_value> elements(count);
  for (uint32_t i = 0; i < count; i++) Js(napi_get_element(env, array, i, &elements[i]));
  return elements;
}

struct Bytes {
  void* data;
  size_t size;
};

inline Bytes BytesOf(napi_env env, napi_value array) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  Js(napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr));
  const size_t width = type == napi_float32_array || type == napi_int32_array || type == napi_uint32_array ? 4
                       : type == napi_bigint64_array || type == napi_float64_array                         ? 8
                       : type == napi_int16_array || type == napi_uint16_array                             ? 2
                                                                                                           : 1;
  return {data, length * width};
}

inline napi_value Error(napi_env env, const std::string& message) {
  napi_value text, error;
  napi_create_string_utf8(env, message.c_str(), message.size(), &text);
  napi_create_error(env, nullptr, text, &error);
  return error;
}

/** Runs `body` with the arguments; its exceptions become JavaScript's. */
template <size_t Count, napi_value (*Body)(napi_env, const napi_value*)>
napi_value Exported(napi_env env, napi_callback_info info) {
  napi_value args[Count];
  size_t count = Count;
  try {
    Js(napi_get_cb_info(env, info, &count, args, nullptr, nullptr));
    return Body(env, args);
  } catch (const JsException&) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_type_error(env, nullptr, "an argument has the wrong type.");
  } catch (const std::exception& error) {
    napi_throw(env, Error(env, error.what()));
  }
  return nullptr;
}

/** A handle of JavaScript's on a C++ object, which lives as long as the handle or anything else that shares it. */
template <typename T>
napi_value Wrapped(napi_env env, std::shared_ptr<T> object) {
  auto handle = std::make_unique<std::shared_ptr<T>>(std::move(object));
  auto finalize = [](napi_env, void* pointer, void*) { delete static_cast<std::shared_ptr<T>*>(pointer); };
  napi_value external;
  Js(napi_create_external(env, handle.get(), finalize, nullptr, &external));
  handle.release();
  return external;
}

template <typename T>
std::shared_ptr<T>& Unwrapped(napi_env env, napi_value handle, const char* released) {
  void* pointer = nullptr;
  Js(napi_get_value_external(env, handle, &pointer));
  auto& object = *static_cast<std::shared_ptr<T>*>(pointer);
  if (object == nullptr) throw std::runtime_error(released);
  return object;
}

}  // namespace js
