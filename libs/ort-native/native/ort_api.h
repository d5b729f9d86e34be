/**
 * The part of ONNX Runtime's C API that this addon calls, declared here so that no header has to be shipped.
 *
 * The API is a table of function pointers that only grows: a slot keeps its number and its signature in all later
 * versions. The slot numbers below are those of API version 18 (ONNX Runtime 1.18, onnxruntime_c_api.h); a runtime that
 * is older refuses the version in GetApi, and the addon then does not load.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort {

constexpr uint32_t kApiVersion = 18;

struct Env;
struct Status;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct Allocator;
struct ArenaCfg;
struct CustomOpDomain;
struct TensorInfo;
struct KernelInfo;
struct KernelContext;
struct ShapeInferContext;
struct IoBinding;
struct CudaProviderOptions;

using Table = void* const*;

struct ApiBase {
  Table (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

/** TensorProto.DataType's numbers where the two agree; ONNXTensorElementDataType. */
enum ElementType : int { kFloat = 1, kUint8 = 2, kInt32 = 6, kInt64 = 7, kBool = 9, kFloat16 = 10 };
enum ErrorCode : int { kFail = 1, kInvalidArgument = 2 };
enum Characteristic : int { kRequired = 0, kVariadic = 2 };
enum MemType : int { kMemDefault = 0 };

/** OrtCustomOp up to the fields of version 17, which `version` declares. */
struct CustomOp {
  uint32_t version;
  void* (*CreateKernel)(const CustomOp*, Table, const KernelInfo*);
  const char* (*GetName)(const CustomOp*);
  const char* (*GetExecutionProviderType)(const CustomOp*);
  ElementType (*GetInputType)(const CustomOp*, size_t);
  size_t (*GetInputTypeCount)(const CustomOp*);
  ElementType (*GetOutputType)(const CustomOp*, size_t);
  size_t (*GetOutputTypeCount)(const CustomOp*);
  void (*KernelCompute)(void* kernel, KernelContext*);
  void (*KernelDestroy)(void* kernel);
  Characteristic (*GetInputCharacteristic)(const CustomOp*, size_t);
  Characteristic (*GetOutputCharacteristic)(const CustomOp*, size_t);
  MemType (*GetInputMemoryType)(const CustomOp*, size_t);
  int (*GetVariadicInputMinArity)(const CustomOp*);
  int (*GetVariadicInputHomogeneity)(const CustomOp*);
  int (*GetVariadicOutputMinArity)(const CustomOp*);
  int (*GetVariadicOutputHomogeneity)(const CustomOp*);
  Status* (*CreateKernelV2)(const CustomOp*, Table, const KernelInfo*, void** kernel);
  Status* (*KernelComputeV2)(void* kernel, KernelContext*);
  Status* (*InferOutputShapeFn)(const CustomOp*, ShapeInferContext*);
  int (*GetStartVersion)(const CustomOp*);
  int (*GetEndVersion)(const CustomOp*);
};

/** A function of the table: its slot, and its signature as a type. */
template <size_t Slot, typename Signature>
struct Function;
template <size_t Slot, typename Result, typename... Args>
struct Function<Slot, Result(Args...)> {
  static Result call(Table table, Args... args) { return reinterpret_cast<Result (*)(Args...)>(table[Slot])(args...); }
};

using CreateStatus = Function<0, Status*(int code, const char* message)>;
using GetErrorMessage = Function<2, const char*(const Status*)>;
using CreateEnv = Function<3, Status*(int severity, const char* id, Env**)>;
using CreateSessionFromArray =
    Function<8, Status*(const Env*, const void* model, size_t bytes, const SessionOptions*, Session**)>;
using Run =
    Function<9, Status*(Session*, const RunOptions*, const char* const* input_names, const Value* const* inputs,
                        size_t input_count, const char* const* output_names, size_t output_count, Value** outputs)>;
using CreateSessionOptions = Function<10, Status*(SessionOptions**)>;
using EnableProfiling = Function<14, Status*(SessionOptions*, const char* file_prefix)>;
using DisableMemPattern = Function<17, Status*(SessionOptions*)>;
using SetSessionLogSeverityLevel = Function<22, Status*(SessionOptions*, int level)>;
using SetSessionGraphOptimizationLevel = Function<23, Status*(SessionOptions*, int level)>;
using SetIntraOpNumThreads = Function<24, Status*(SessionOptions*, int threads)>;
using CreateCustomOpDomain = Function<26, Status*(const char* domain, CustomOpDomain**)>;
using CustomOpDomainAdd = Function<27, Status*(CustomOpDomain*, const CustomOp*)>;
using AddCustomOpDomain = Function<28, Status*(SessionOptions*, CustomOpDomain*)>;
using CreateTensorWithData = Function<49, Status*(const MemoryInfo*, void* data, size_t bytes, const int64_t* shape,
                                                  size_t rank, int type, Value**)>;
using GetTensorMutableData = Function<51, Status*(Value*, void**)>;
using GetTensorElementType = Function<60, Status*(const TensorInfo*, int*)>;
using GetDimensionsCount = Function<61, Status*(const TensorInfo*, size_t*)>;
using GetDimensions = Function<62, Status*(const TensorInfo*, int64_t*, size_t)>;
using GetTensorShapeElementCount = Function<64, Status*(const TensorInfo*, size_t*)>;
using GetTensorTypeAndShape = Function<65, Status*(const Value*, TensorInfo**)>;
using CreateMemoryInfo =
    Function<68, Status*(const char* name, int allocator_type, int device, int mem_type, MemoryInfo**)>;
using CreateCpuMemoryInfo = Function<69, Status*(int allocator_type, int mem_type, MemoryInfo**)>;
using AllocatorFree = Function<76, Status*(Allocator*, void*)>;
using GetDefaultAllocator = Function<78, Status*(Allocator**)>;
using KernelInfoGetFloat = Function<85, Status*(const KernelInfo*, const char* name, float*)>;
using KernelInfoGetInt64 = Function<86, Status*(const KernelInfo*, const char* name, int64_t*)>;
using KernelContextGetInput = Function<90, Status*(const KernelContext*, size_t, const Value**)>;
using KernelContextGetOutput =
    Function<91, Status*(KernelContext*, size_t, const int64_t* shape, size_t rank, Value**)>;
using ReleaseStatus = Function<93, void(Status*)>;
using ReleaseMemoryInfo = Function<94, void(MemoryInfo*)>;
using ReleaseSession = Function<95, void(Session*)>;
using ReleaseValue = Function<96, void(Value*)>;
using ReleaseTensorInfo = Function<99, void(TensorInfo*)>;
using ReleaseSessionOptions = Function<100, void(SessionOptions*)>;
using SessionEndProfiling = Function<110, Status*(Session*, Allocator*, char** file)>;
using AddSessionConfigEntry = Function<130, Status*(SessionOptions*, const char* key, const char* value)>;
using RunWithBinding = Function<133, Status*(Session*, const RunOptions*, const IoBinding*)>;
using CreateIoBinding = Function<134, Status*(Session*, IoBinding**)>;
using ReleaseIoBinding = Function<135, void(IoBinding*)>;
using BindInput = Function<136, Status*(IoBinding*, const char* name, const Value*)>;
using BindOutput = Function<137, Status*(IoBinding*, const char* name, const Value*)>;
using CreateAndRegisterAllocator = Function<144, Status*(Env*, const MemoryInfo*, const ArenaCfg*)>;
using CreateArenaCfg =
    Function<156, Status*(size_t max_bytes, int strategy, int initial_bytes, int max_dead_bytes, ArenaCfg**)>;
using ReleaseArenaCfg = Function<157, void(ArenaCfg*)>;
using AppendCudaProvider = Function<204, Status*(SessionOptions*, const CudaProviderOptions*)>;
using CreateCudaProviderOptions = Function<205, Status*(CudaProviderOptions**)>;
using UpdateCudaProviderOptions =
    Function<206, Status*(CudaProviderOptions*, const char* const* keys, const char* const* values, size_t count)>;
using ReleaseCudaProviderOptions = Function<208, void(CudaProviderOptions*)>;
/** With a provider's name and options, for memory that is not the CPU's. */
using CreateAndRegisterProviderAllocator =
    Function<259, Status*(Env*, const char* provider, const MemoryInfo*, const ArenaCfg*, const char* const* keys,
                          const char* const* values, size_t count)>;
using KernelContextParallelFor =
    Function<274, Status*(const KernelContext*, void (*body)(void*, size_t), size_t total, size_t batches, void* data)>;
using AddExternalInitializersInMemory = Function<279, Status*(SessionOptions*, const char* const* names,
                                                              char* const* buffers, const size_t* bytes, size_t count)>;

}  // namespace ort
