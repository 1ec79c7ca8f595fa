#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "core/cuda_driver.h"
#include "core/gpu_slot.h"
#include "core/model.h"
#include "core/session.h"

namespace zrank {

// The graph of src/graph: a decoder over packed tokens that gives one logit a sequence.
class PackedDecoder : public Model {
 public:
  // A padded batch of more than `max_squares`, sequences times longest sequence squared, is DEVICE_OUT_OF_MEMORY.
  PackedDecoder(const SessionSpec& spec, int64_t max_squares);
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

 private:
  // The logits of the packed sequences, by the layout that the graph's attention takes. All add to `compute_seconds`.
  std::vector<float> RunPadded(const Ort::RunOptions& options, PackedBatch& packed, double& compute_seconds);
  std::vector<float> RunPaged(const Ort::RunOptions& options, const PagedBatch& paged, double& compute_seconds);
  // Padded here, too.
  std::vector<float> RunTiled(const Ort::RunOptions& options, PackedBatch& packed, double& compute_seconds);
  std::vector<float> RunOnCpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs,
                              double& compute_seconds);
  // A GPU runs one batch at a time; the next one is packed and copied to it meanwhile.
  std::vector<float> RunOnGpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs, int64_t sequences,
                              double& compute_seconds);
  std::unique_ptr<GpuSlot> TakeSlot();

  const Device device_;
  const int64_t max_squares_;
  const std::unique_ptr<CudaContext> context_;  // on CUDA; made before the session
  Session session_;
  enum class Layout { kPadded, kPaged, kTiled } layout_;  // that the graph takes
  std::mutex gpu_;
  std::mutex slots_mutex_;
  std::vector<std::unique_ptr<GpuSlot>> slots_;  // that no run holds
};

}  // namespace zrank
