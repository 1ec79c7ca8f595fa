#include "core/fallback_model.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/pack.h"

namespace zrank {

namespace {

// After so many batches near a limit it rises by a quarter: who shared the device's memory may have gone.
constexpr int kPatience = 64;

// Rows of a batch that are computed again. More that are not finite are a fault of the device or the model, and the
// fallback would take an hour over them; they stay as they are, and their requests fail.
size_t MostRescued(size_t batch) { return std::max<size_t>(8, batch / 4); }

}  // namespace

RunResult LazyModel::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  {
    // Not std::call_once: outside glibc, and under ThreadSanitizer, it hangs after a call that threw (GCC bug 66146).
    const std::lock_guard lock(mutex_);
    if (model_ == nullptr) model_ = make_();
  }
  return model_->Run(batch, options);
}

FallbackModel::FallbackModel(std::unique_ptr<Model> model, std::shared_ptr<Model> fallback)
    : model_(std::move(model)), fallback_(std::move(fallback)) {}

FallbackModel::Failures FallbackModel::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

RunResult FallbackModel::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  RunResult result = RunOrHalve(batch, options);
  Widen(result.counts.computed_tokens);
  if (fallback_) MakeFinite(batch, options, result);
  return result;
}

RunResult FallbackModel::RunOrHalve(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  const bool is_alone = batch.size() == 1;
  try {
    return model_->Run(batch, options);
  } catch (const std::exception& exception) {
    const Error error = Classify(exception, ErrorCode::kRunFailed);
    const bool is_memory = error.code() == ErrorCode::kDeviceOutOfMemory || error.code() == ErrorCode::kOutOfMemory;
    if (!is_memory || (is_alone && !fallback_)) throw error;
  }
  {
    // As the queue counts them: what sequences share is computed once.
    const auto tokens = static_cast<uint64_t>(Pack(batch).tokens());
    const std::lock_guard lock(mutex_);
    ++failures_.out_of_memory;
    near_limit_ = 0;
    if (!is_alone) failures_.max_tokens = std::min(failures_.max_tokens, std::max<uint64_t>(tokens / 2, 1));
  }
  if (is_alone) return fallback_->Run(batch, options);
  RunResult result = RunOrHalve(batch.first(batch.size() / 2), options);
  const RunResult rest = RunOrHalve(batch.subspan(batch.size() / 2), options);
  result.rows.insert(result.rows.end(), rest.rows.begin(), rest.rows.end());
  result.counts += rest.counts;
  return result;
}

void FallbackModel::Widen(uint64_t tokens) {
  const std::lock_guard lock(mutex_);
  if (failures_.max_tokens == UINT64_MAX || tokens < failures_.max_tokens / 2 || ++near_limit_ < kPatience) return;
  near_limit_ = 0;
  failures_.max_tokens += failures_.max_tokens / 4 + 1;
}

void FallbackModel::MakeFinite(std::span<const Sequence> batch, const Ort::RunOptions& options, RunResult& result) {
  const size_t width = result.rows.size() / batch.size();
  const auto row = [&](size_t i) { return std::span(result.rows).subspan(i * width, width); };
  std::vector<size_t> indices;
  std::vector<Sequence> again;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (IsFinite(row(i))) continue;
    indices.push_back(i);
    again.push_back(batch[i]);
  }
  if (again.empty() || again.size() > MostRescued(batch.size())) return;
  const std::vector<float> rows = fallback_->Run(again, options).rows;
  for (size_t i = 0; i < indices.size(); ++i) std::copy_n(rows.begin() + i * width, width, row(indices[i]).begin());
  const std::lock_guard lock(mutex_);
  failures_.not_finite += again.size();
}

}  // namespace zrank
