// A model that lacks memory or range beside one that does not. Real: ONNX Runtime's RunOptions (the library is named by
// ZRANK_ONNXRUNTIME). A double: both models.

#include "core/fallback_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/error.h"
#include "core/ort_runtime.h"
#include "core/words.h"
#include "test/check.h"

namespace zrank {
namespace {

// Gives a sequence its length and the length negated; has memory for so many tokens a run, and overflows above so long
// a sequence.
struct FakeModel : Model {
  size_t memory, largest;
  std::vector<size_t> runs;  // sequences of each

  explicit FakeModel(size_t memory, size_t largest = 1000) : memory(memory), largest(largest) {}

  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions&) override {
    runs.push_back(batch.size());
    RunResult result;
    for (const Sequence& sequence : batch) {
      const auto length = static_cast<float>(sequence.ids.size());
      result.rows.push_back(length);
      result.rows.push_back(sequence.ids.size() > largest ? std::numeric_limits<float>::quiet_NaN() : -length);
      result.counts.computed_tokens += sequence.ids.size();
    }
    if (result.counts.computed_tokens > memory) throw Error(ErrorCode::kDeviceOutOfMemory, "no memory");
    return result;
  }
};

struct Fixture {
  FakeModel* const device;
  FakeModel* fallback = nullptr;  // once it has been made
  FallbackModel model;

  explicit Fixture(FakeModel* device, bool has_fallback = true)
      : device(device), model(std::unique_ptr<Model>(device), has_fallback ? MakeFallback() : nullptr) {
    OrtRuntime::Open(test::OnnxRuntime());
  }
  std::shared_ptr<Model> MakeFallback() {
    return std::make_shared<LazyModel>([this] {
      auto made = std::make_unique<FakeModel>(1000);
      fallback = made.get();
      return made;
    });
  }
  RunResult Run(const std::vector<size_t>& lengths) {
    // No two begin alike.
    std::vector<std::vector<int32_t>> ids;
    for (size_t length : lengths) ids.emplace_back(length, static_cast<int32_t>(ids.size()));
    return RunIds(ids);
  }
  RunResult RunIds(const std::vector<std::vector<int32_t>>& ids) {
    std::vector<Sequence> batch;
    for (const auto& sequence : ids) batch.push_back({sequence, {}});
    return model.Run(batch, Ort::RunOptions());
  }
  std::string Code(const std::vector<size_t>& lengths) {
    try {
      Run(lengths);
      return "no error";
    } catch (const Error& error) {
      return std::string(Word(error.code()));
    }
  }
};

TEST(what_fits_runs_once_and_makes_no_fallback) {
  Fixture fixture(new FakeModel(10));
  const RunResult result = fixture.Run({1, 2, 3});
  CHECK_EQ(result.rows, {1, -1, 2, -2, 3, -3});
  CHECK_EQ(result.counts.computed_tokens, 6);
  CHECK_EQ(fixture.device->runs, {3});
  CHECK(fixture.fallback == nullptr);
  CHECK_EQ(fixture.model.failures().max_tokens, UINT64_MAX);
}

TEST(what_does_not_fit_is_halved_and_halved_again) {
  Fixture fixture(new FakeModel(4));
  const RunResult result = fixture.Run({4, 2, 1, 1});
  CHECK_EQ(result.rows, {4, -4, 2, -2, 1, -1, 1, -1});
  CHECK_EQ(result.counts.computed_tokens, 8);
  CHECK_EQ(fixture.device->runs, {4, 2, 1, 1, 2});
  CHECK_EQ(fixture.model.failures().out_of_memory, 2);
  CHECK_EQ(fixture.model.failures().max_tokens, 3);
  CHECK(fixture.fallback == nullptr);
}

TEST(the_limit_counts_what_sequences_share_once) {
  Fixture fixture(new FakeModel(9));
  fixture.RunIds({{1, 1, 1, 2}, {1, 1, 1, 3}, {1, 1, 1, 4}});
  CHECK_EQ(fixture.model.failures().max_tokens, 3);
}

TEST(the_limit_rises_again_with_batches_that_keep_to_it) {
  Fixture fixture(new FakeModel(6));
  fixture.Run({4, 4});
  CHECK_EQ(fixture.model.failures().max_tokens, 4);
  for (int i = 0; i < 100; ++i) fixture.Run({1});
  CHECK_EQ(fixture.model.failures().max_tokens, 4);
  for (int i = 0; i < 64; ++i) fixture.Run({2, 2});
  CHECK_EQ(fixture.model.failures().max_tokens, 6);
}

TEST(a_sequence_that_does_not_fit_alone_runs_on_the_fallback) {
  Fixture fixture(new FakeModel(4));
  CHECK_EQ(fixture.Run({2, 9}).rows, {2, -2, 9, -9});
  CHECK_EQ(fixture.fallback->runs, {1});
  CHECK_EQ(fixture.model.failures().out_of_memory, 2);
  // One long sequence says nothing about batches of others.
  CHECK_EQ(fixture.model.failures().max_tokens, 5);
}

TEST(rows_that_are_not_finite_are_computed_again_together) {
  Fixture fixture(new FakeModel(1000, 5));
  CHECK_EQ(fixture.Run({1, 9, 2, 8}).rows, {1, -1, 9, -9, 2, -2, 8, -8});
  CHECK_EQ(fixture.device->runs, {4});
  CHECK_EQ(fixture.fallback->runs, {2});
  CHECK_EQ(fixture.model.failures().not_finite, 2);
}

TEST(of_many_rows_that_are_not_finite_none_is_computed_again) {
  Fixture fixture(new FakeModel(1000, 5));
  CHECK(IsFinite(fixture.Run({9, 9, 9, 9, 9, 9, 9, 9}).rows));
  const std::vector<float> rows = fixture.Run({1, 9, 9, 9, 9, 9, 9, 9, 9, 9}).rows;
  CHECK_EQ(std::vector<float>(rows.begin(), rows.begin() + 2), {1, -1});
  CHECK(std::isnan(rows.back()));
  CHECK_EQ(fixture.fallback->runs, {8});
  CHECK_EQ(fixture.model.failures().not_finite, 8);
  std::vector<size_t> lengths(40, 1);
  std::fill_n(lengths.begin(), 10, 9);
  CHECK(IsFinite(fixture.Run(lengths).rows));
  CHECK_EQ(fixture.fallback->runs, {8, 10});
}

TEST(without_a_fallback_memory_is_an_error_and_a_row_stays_as_it_is) {
  Fixture fixture(new FakeModel(4, 3), false);
  CHECK_EQ(fixture.Code({2, 9}), "DEVICE_OUT_OF_MEMORY");
  CHECK_EQ(fixture.model.failures().max_tokens, 5);
  CHECK(!IsFinite(fixture.Run({4}).rows));
  CHECK_EQ(fixture.model.failures().not_finite, 0);
}

TEST(a_fallback_that_cannot_be_made_is_tried_again) {
  OrtRuntime::Open(test::OnnxRuntime());
  int attempts = 0;
  FallbackModel model(std::make_unique<FakeModel>(0), std::make_shared<LazyModel>([&]() -> std::unique_ptr<Model> {
                        if (++attempts == 1) throw Error(ErrorCode::kSessionFailed, "no file");
                        return std::make_unique<FakeModel>(1000);
                      }));
  const std::vector<int32_t> ids(3);
  const Sequence sequence{ids, {}};
  bool failed = false;
  try {
    model.Run({&sequence, 1}, Ort::RunOptions());
  } catch (const Error& error) {
    failed = error.code() == ErrorCode::kSessionFailed;
  }
  CHECK(failed);
  CHECK_EQ(model.Run({&sequence, 1}, Ort::RunOptions()).rows, {3, -3});
}

}  // namespace
}  // namespace zrank
