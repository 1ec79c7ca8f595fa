#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "core/model.h"

namespace zrank {

// A model that is made when it is first run.
class LazyModel : public Model {
 public:
  explicit LazyModel(ModelFactory make) : make_(std::move(make)) {}
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

 private:
  const ModelFactory make_;
  std::mutex mutex_;  // of the making
  std::unique_ptr<Model> model_;
};

// A model whose device may lack memory or range: halves a batch that it has no memory for, and runs on the fallback
// what does not fit alone, or whose row is not finite. Without a fallback such a sequence is an error, such a row
// stays.
class FallbackModel : public Model {
 public:
  // `fallback` may be null, or shared with other models.
  FallbackModel(std::unique_ptr<Model> model, std::shared_ptr<Model> fallback);
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

  struct Failures {
    uint64_t out_of_memory = 0;        // runs: halved, or a sequence run on the fallback
    uint64_t not_finite = 0;           // sequences that the fallback computed again
    uint64_t max_tokens = UINT64_MAX;  // to compute: a larger batch is not to be tried now
  };
  Failures failures() const;

 private:
  RunResult RunOrHalve(std::span<const Sequence> batch, const Ort::RunOptions& options);
  // After a batch of so many tokens.
  void Widen(uint64_t tokens);
  void MakeFinite(std::span<const Sequence> batch, const Ort::RunOptions& options, RunResult& result);

  const std::unique_ptr<Model> model_;
  const std::shared_ptr<Model> fallback_;
  mutable std::mutex mutex_;
  Failures failures_;   // guarded by mutex_
  int near_limit_ = 0;  // batches since it last changed, guarded by mutex_
};

}  // namespace zrank
