#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"

// The CUDA kernels on random inputs, against plain sums in double precision, a row at a time.

namespace zrank::cuda::test {

// A tensor that a kernel is given: its elements are copied to where the kernel runs, and back if it writes them.
struct Buffer {
  std::string name;
  void* data;  // null where there is none
  size_t bytes;
  bool is_output;
};

// Where kernels run. `start` is given the buffers' addresses there, in their order.
class Machine {
 public:
  virtual ~Machine() = default;
  using Start = std::function<void(Launcher& launcher, std::span<void* const> addresses)>;
  // Throws where the kernel does what it must not, or leaves an output unwritten.
  virtual void Run(std::span<const Buffer> buffers, uint64_t seed, const Start& start) = 0;
};

// On the emulator, where buffers lie between bytes that may not be touched.
class EmulatedMachine : public Machine {
 public:
  void Run(std::span<const Buffer> buffers, uint64_t seed, const Start& start) override;
};

// The largest error, and the largest that rounding explains. Both relative to the largest magnitude of what the element
// could be: for attention of the values, else of the element itself.
struct Outcome {
  double error, bound;

  bool is_right() const { return error <= bound; }  // not where it is no number
};

struct GatedUnitsCase {
  Element element = Element::kFp16;
  int64_t rows = 1, columns = 1;
  float scale = 1;
  bool in_place = false;
  bool is_merged = false;  // gate and up are columns of one matrix
  uint64_t seed = 1;
};

struct RotateHeadsCase {
  Element element = Element::kFp16;
  int64_t head_dim = 128, heads = 1, tokens = 1;
  bool has_norm = true, in_place = false;
  int64_t first = 0;  // the column that x begins at
  uint64_t seed = 1;
};

struct AttentionCase {
  Element element = Element::kFp16;
  int64_t head_dim = 128, heads = 4, key_value_heads = 1;
  bool has_norm = true;
  int64_t shared = 0;            // tokens that all sequences begin with
  std::vector<int64_t> lengths;  // of each sequence beyond those; may be equal
  bool is_padded = false;        // to sizes that recur, as batches on GPUs are
  bool only_last = false;        // the last token of each sequence instead of all
  double sharpness = 1;          // factor on the queries: how far scores lie apart
  int64_t first = 0;             // the column that queries begin at, and values
  // The first token of all is infinite; sequences that have it are not looked at.
  bool has_foreign_infinity = false;
  uint64_t seed = 1;
};

Outcome Check(Machine& machine, const GatedUnitsCase& gated);
Outcome Check(Machine& machine, const RotateHeadsCase& rotated);
Outcome Check(Machine& machine, const AttentionCase& attention);

}  // namespace zrank::cuda::test
