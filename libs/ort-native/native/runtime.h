/** ONNX Runtime as this process has loaded it: one environment, one arena, the custom ops, and sessions over them. */
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ort_api.h"

namespace runtime {

/** An error with ONNX Runtime's own message. @throws std::runtime_error */
void Check(ort::Status*);

/**
 * Opens the library at `path` (the copy that onnxruntime-node has loaded, if it has), its environment, an arena that
 * all sessions share, and the domain of custom ops. Does nothing when that is done already.
 * @returns the version of ONNX Runtime
 */
const char* Open(const std::string& path);

ort::Table Api();
const ort::MemoryInfo* CpuMemory();

struct External {
  std::string name;
  char* data;
  size_t bytes;
};

struct Options {
  /** 0: as many as ONNX Runtime finds cores. */
  int threads = 0;
  /** 0, 1, 2 or 99: none, basic, extended, all. */
  int optimization = 99;
  /** Threads that wait for work spin for a while. */
  bool spinning = true;
  /** Profiles into a file with this prefix; empty: not at all. */
  std::string profile;
  /** Constants that the model refers to; only read while the session is created. */
  std::vector<External> external;
};

class Session {
 public:
  Session(const void* model, size_t bytes, const Options&);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /** Outputs that are null on entry are allocated by ONNX Runtime. */
  void Run(const std::vector<const char*>& input_names, const std::vector<const ort::Value*>& inputs,
           const std::vector<const char*>& output_names, std::vector<ort::Value*>& outputs);

  /** Writes the profile. */
  void EndProfiling();

 private:
  ort::Session* session_ = nullptr;
};

}  // namespace runtime
