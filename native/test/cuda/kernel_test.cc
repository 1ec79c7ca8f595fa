// The CUDA kernels' source on an emulated GPU (test/cuda/emulator.h) against plain sums in double precision, on batches
// that the real Pack and LayOutTiles make. No GPU takes part.

#include "test/check.h"
#include "test/cuda/kernel_cases.h"

namespace zrank::cuda::test {
namespace {

template <typename Case>
void Expect(Case given) {
  EmulatedMachine machine;
  for (const Element element : {Element::kFp16, Element::kBf16}) {
    given.element = element;
    std::string failure;
    try {
      const Outcome outcome = Check(machine, given);
      if (!outcome.is_right())
        failure = "off by " + std::to_string(outcome.error) + ", at most " + std::to_string(outcome.bound);
    } catch (const std::exception& exception) {
      failure = exception.what();
    }
    CHECK_EQ(failure, "");
  }
}

TEST(gated_units_of_any_count_are_computed_in_fp32_and_rounded_once) {
  for (const int64_t count : {1, 7, 8, 9, 2047, 2048, 2049, 5003}) {
    Expect(GatedUnitsCase{.columns = count});
    Expect(GatedUnitsCase{.columns = count, .scale = 32, .in_place = true, .seed = 2});
  }
}

TEST(gate_and_up_may_be_columns_of_one_matrix) {
  for (const int64_t columns : {8, 2040, 2048, 2056})
    Expect(GatedUnitsCase{.rows = 3, .columns = columns, .is_merged = true});
}

TEST(queries_keys_and_values_may_be_columns_of_one_matrix) {
  for (const int64_t dim : {32, 64, 96, 128}) {
    Expect(RotateHeadsCase{.head_dim = dim, .heads = 3, .tokens = 37, .first = 40});
    Expect(AttentionCase{
        .head_dim = dim, .heads = 4, .key_value_heads = 2, .shared = 30, .lengths = {40, 3, 70}, .first = 40});
  }
  Expect(AttentionCase{
      .head_dim = 32, .heads = 2, .key_value_heads = 1, .lengths = {9, 70}, .only_last = true, .first = 8});
}

TEST(heads_of_every_size_are_normed_and_rotated) {
  for (const int64_t dim : {32, 64, 96, 128}) {
    Expect(RotateHeadsCase{.head_dim = dim, .heads = 3, .tokens = 37});
    Expect(RotateHeadsCase{.head_dim = dim, .heads = 1, .tokens = 1, .has_norm = false});
    Expect(RotateHeadsCase{.head_dim = dim, .heads = 8, .tokens = 16, .in_place = true});
  }
}

TEST(heads_of_every_size_and_grouping_attend) {
  const std::vector<int64_t> lengths{40, 3, 70};
  Expect(AttentionCase{.head_dim = 32, .heads = 4, .key_value_heads = 2, .shared = 30, .lengths = lengths});
  Expect(AttentionCase{.head_dim = 64, .heads = 7, .key_value_heads = 1, .shared = 30, .lengths = lengths});
  Expect(AttentionCase{.head_dim = 96, .heads = 2, .key_value_heads = 2, .shared = 30, .lengths = lengths});
  Expect(AttentionCase{.head_dim = 128, .heads = 4, .key_value_heads = 1, .shared = 30, .lengths = lengths});
  Expect(AttentionCase{.head_dim = 32, .heads = 100, .key_value_heads = 1, .lengths = {2, 5}});
}

TEST(sequences_of_every_edge_attend) {
  for (const int64_t length : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200})
    Expect(AttentionCase{.head_dim = 32, .heads = 2, .key_value_heads = 1, .lengths = {length}});
}

TEST(a_shared_prefix_of_several_tiles_is_read_in_place) {
  Expect(AttentionCase{
      .head_dim = 32, .heads = 4, .key_value_heads = 1, .shared = 260, .lengths = {70, 1, 70, 10}, .seed = 3});
}

TEST(the_last_tokens_alone_attend) {
  Expect(AttentionCase{.head_dim = 64,
                       .heads = 6,
                       .key_value_heads = 2,
                       .shared = 50,
                       .lengths = {80, 1, 14, 15, 80},
                       .only_last = true});
}

TEST(padded_batches_attend_as_those_that_are_not) {
  for (const bool only_last : {false, true}) {
    Expect(AttentionCase{.head_dim = 32,
                         .heads = 4,
                         .key_value_heads = 2,
                         .shared = 9,
                         .lengths = {60, 61, 20},
                         .is_padded = true,
                         .only_last = only_last});
  }
}

TEST(heads_without_a_norm_and_sharp_scores_attend) {
  Expect(AttentionCase{
      .head_dim = 64, .heads = 2, .key_value_heads = 1, .has_norm = false, .shared = 3, .lengths = {90, 30}});
  Expect(AttentionCase{.head_dim = 64, .heads = 2, .key_value_heads = 1, .lengths = {130}, .sharpness = 8});
}

TEST(values_of_others_that_are_no_numbers_stay_theirs) {
  Expect(AttentionCase{.head_dim = 32,
                       .heads = 4,
                       .key_value_heads = 1,
                       .lengths = {40, 3, 70, 20, 9},
                       .has_foreign_infinity = true,
                       .seed = 5});
}

}  // namespace
}  // namespace zrank::cuda::test
