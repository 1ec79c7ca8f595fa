#include "core/session.h"

#include <filesystem>

#include "core/denormals.h"
#include "core/error.h"
#include "core/ort_runtime.h"
#include "kernels/ops/custom_ops.h"

namespace zrank {

namespace {

// As ONNX Runtime takes it: wide on Windows.
std::filesystem::path PathOf(const std::string& utf8) {
  return std::filesystem::path(std::u8string(utf8.begin(), utf8.end()));
}

Ort::SessionOptions Options(const SessionSpec& spec) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(spec.intra_op_threads);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  // Batches differ in shape, so a memory pattern of one does not fit the next.
  options.DisableMemPattern();
  // Busy waiting between operators would take the cores from the rest of the server.
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");
  options.AddConfigEntry("session.set_denormal_as_zero", "1");
  if (!spec.profile_prefix.empty()) options.EnableProfiling(PathOf(spec.profile_prefix).c_str());
  if (spec.device.is_gpu()) {
    // Weights lie outside the arena, which then holds activations alone.
    options.AddConfigEntry("session.use_device_allocator_for_initializers", "1");
    // An operator that the provider lacks would quietly run on the CPU.
    options.AddConfigEntry("session.disable_cpu_ep_fallback", "1");
    AppendProvider(options, spec.device);
  }
  if (spec.optimize) {
    options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  } else {
    // The graph is written fused; folding its Casts would copy the weights to the heap, prepacking once more.
    options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
    if (!spec.prepack) options.AddConfigEntry("session.disable_prepacking", "1");
    options.Add(CustomOps());
  }
  // ONNX Runtime maps external data of a model that came as bytes from below this folder; it follows no symlink out of
  // it.
  if (!spec.weight_folder.empty()) {
    options.AddConfigEntry("session.model_external_initializers_file_folder_path", spec.weight_folder.c_str());
  }
  return options;
}

}  // namespace

Session::Session(const SessionSpec& spec) try {
  // The first session with set_denormal_as_zero sets it for the thread that it is made on, too; this one puts it back.
  const FlushDenormals scope;
  Ort::SessionOptions options = Options(spec);
  Ort::Env& env = OrtRuntime::Get().env();
  session_ = spec.graph.empty() ? Ort::Session(env, PathOf(spec.graph_path).c_str(), options)
                                : Ort::Session(env, spec.graph.data(), spec.graph.size(), options);
} catch (const std::exception& exception) {
  throw Classify(exception, ErrorCode::kSessionFailed);
}

std::vector<Ort::Value> Session::Run(const Ort::RunOptions& options, std::span<const char* const> input_names,
                                     std::span<const Ort::Value> inputs, std::span<const char* const> output_names) {
  const FlushDenormals scope;
  try {
    return session_.Run(options, input_names.data(), inputs.data(), inputs.size(), output_names.data(),
                        output_names.size());
  } catch (const std::exception& exception) {
    throw Classify(exception, ErrorCode::kRunFailed);
  }
}

}  // namespace zrank
