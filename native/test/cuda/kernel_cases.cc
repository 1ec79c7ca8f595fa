#include "test/cuda/kernel_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

#include "core/tiles.h"
#include "test/cuda/emulated_kernels.h"
#include "test/cuda/sixteen_bits.h"

namespace zrank::cuda::test {

namespace {

using Elements = std::vector<uint16_t>;

double Widened(Element element, uint16_t bits) {
  return element == Element::kFp16 ? emulation::FloatFromHalf(bits) : emulation::FloatFromBrain(bits);
}
uint16_t Rounded(Element element, double value) {
  const auto narrow = static_cast<float>(value);
  return element == Element::kFp16 ? emulation::HalfFromFloat(narrow) : emulation::BrainFromFloat(narrow);
}
// Half a unit in the last place, relative.
double Precision(Element element) { return element == Element::kFp16 ? 0x1p-11 : 0x1p-8; }

Elements Normal(Element element, int64_t count, double scale, double mean, std::mt19937_64& random) {
  std::normal_distribution<double> normal(mean, scale);
  Elements elements(static_cast<size_t>(count));
  for (uint16_t& bits : elements) bits = Rounded(element, normal(random));
  return elements;
}

// No number, so that what is not written shows.
Elements Unwritten(int64_t count) { return Elements(static_cast<size_t>(count), 0xffff); }

template <typename Value>
Buffer Input(const char* name, std::vector<Value>& values) {
  return {name, values.empty() ? nullptr : values.data(), values.size() * sizeof(Value), false};
}
Buffer Output(const char* name, Elements& values) { return {name, values.data(), values.size() * 2, true}; }

struct Rotary {
  int64_t head_dim;
  std::vector<float> cos, sin;  // [positions, head_dim / 2]

  Rotary(int64_t head_dim, int64_t positions) : head_dim(head_dim) {
    const int64_t half = head_dim / 2;
    for (int64_t i = 0; i < positions * half; ++i) {
      const double exponent = -2.0 * static_cast<double>(i % half) / static_cast<double>(head_dim);
      const double angle = static_cast<double>(i / half) * std::pow(1e6, exponent);
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }

  // A head after RMSNorm, if it has one, and rotation, as transformers' modeling_qwen3.py does it in fp32.
  std::vector<double> Head(Element element, const uint16_t* x, const Elements& norm, double epsilon,
                           int64_t position) const {
    const int64_t half = head_dim / 2;
    double squares = 0;
    for (int64_t i = 0; i < head_dim; ++i) squares += std::pow(Widened(element, x[i]), 2);
    const double factor = norm.empty() ? 1 : 1 / std::sqrt(squares / static_cast<double>(head_dim) + epsilon);
    std::vector<double> rotated(static_cast<size_t>(head_dim));
    for (int64_t i = 0; i < half; ++i) {
      const auto normed = [&](int64_t at) {
        return Widened(element, x[at]) * factor * (norm.empty() ? 1 : Widened(element, norm[at]));
      };
      const double c = cos[position * half + i], s = sin[position * half + i];
      rotated[i] = normed(i) * c - normed(i + half) * s;
      rotated[i + half] = normed(i + half) * c + normed(i) * s;
    }
    return rotated;
  }
};

// Takes what is not a number for the worst of all.
void Worsen(double& worst, double error) {
  if (!(error <= worst)) worst = error;
}

constexpr double kEpsilon = 1e-6;

}  // namespace

void EmulatedMachine::Run(std::span<const Buffer> buffers, uint64_t seed, const Start& start) {
  emulation::Memory memory;
  std::vector<void*> addresses;
  for (const Buffer& buffer : buffers) {
    addresses.push_back(buffer.data);
    if (buffer.data == nullptr) continue;
    if (buffer.is_output) memory.AddOutput(buffer.name, buffer.data, buffer.bytes);
    if (!buffer.is_output) memory.AddInput(buffer.name, buffer.data, buffer.bytes);
  }
  emulation::EmulatedLauncher launcher(&memory, seed);
  start(launcher, addresses);
  if (memory.Unwritten() > 0) throw std::runtime_error(std::to_string(memory.Unwritten()) + " bytes are not written");
}

Outcome Check(Machine& machine, const GatedUnitsCase& gated) {
  const auto& [element, rows, columns, scale, in_place, is_merged, seed] = gated;
  if (in_place && is_merged) throw std::invalid_argument("what is written in place has no gaps");
  std::mt19937_64 random(seed);
  const int64_t count = rows * columns, stride = is_merged ? 2 * columns : columns;
  // Gates far to both sides, where the exponential overflows.
  Elements gate = Normal(element, rows * stride, 20, 0, random), up = Normal(element, count, 1, 0, random);
  for (size_t i = 0; i < gate.size(); i += 7) gate[i] = Rounded(element, i % 2 == 0 ? -60'000 : 60'000);
  if (is_merged)
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(up.begin() + row * columns, columns, gate.begin() + row * stride + columns);
  const Elements gates = gate;
  Elements y = in_place ? gate : Unwritten(count);
  const std::vector<Buffer> buffers = in_place ? std::vector{Input("up", up), Output("y", y)}
                                               : std::vector{Input("up", up), Output("y", y), Input("gate", gate)};
  machine.Run(buffers, seed, [&](Launcher& launcher, std::span<void* const> at) {
    const void* const ups = is_merged ? static_cast<const uint16_t*>(at.back()) + columns : at[0];
    const GatedUnitsArguments arguments{at.back(), ups, at[1], rows, columns, stride, scale};
    launcher.Start(LaunchOf(arguments, element), &arguments, nullptr);
  });
  double worst = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = scale * Widened(element, gates[i / columns * stride + i % columns]);
    // fp32's exponential overflows long before a double's, and the product is 0 then.
    const double exponential = std::exp(-x);
    const bool overflows = exponential > std::numeric_limits<float>::max();
    const double expected = overflows ? 0 : x / (1 + exponential) * Widened(element, up[i]);
    const double least = element == Element::kFp16 ? 0x1p-14 : 0x1p-126;
    if (element == Element::kFp16 && std::abs(expected) >= 65'520) {
      if (std::isinf(Widened(element, y[i]))) continue;
    }
    Worsen(worst, std::abs(Widened(element, y[i]) - expected) / std::max(std::abs(expected), least));
  }
  return {worst, 1.05 * Precision(element)};
}

Outcome Check(Machine& machine, const RotateHeadsCase& rotated) {
  const auto& [element, head_dim, heads, tokens, has_norm, in_place, first, seed] = rotated;
  if (in_place && first > 0) throw std::invalid_argument("what is written in place has no gaps");
  std::mt19937_64 random(seed);
  const int64_t stride = first + heads * head_dim;
  Elements x = Normal(element, tokens * stride, 3, 0, random);
  Elements norm = has_norm ? Normal(element, head_dim, 0.3, 1, random) : Elements{};
  Rotary rotary(head_dim, 2 * tokens + 1);
  std::vector<int32_t> positions(static_cast<size_t>(tokens));
  for (int32_t& position : positions) position = static_cast<int32_t>(random() % static_cast<uint64_t>(2 * tokens + 1));
  const Elements before = x;
  Elements y = in_place ? x : Unwritten(tokens * heads * head_dim);
  std::vector<Buffer> buffers{Input("norm", norm), Input("cos", rotary.cos), Input("sin", rotary.sin),
                              Input("positions", positions), Output("y", y)};
  if (!in_place) buffers.push_back(Input("x", x));
  machine.Run(buffers, seed, [&](Launcher& launcher, std::span<void* const> at) {
    const RotateHeadsArguments arguments{static_cast<const uint16_t*>(at.back()) + first,
                                         at[0],
                                         static_cast<const float*>(at[1]),
                                         static_cast<const float*>(at[2]),
                                         static_cast<const int32_t*>(at[3]),
                                         at[4],
                                         tokens * heads,
                                         stride,
                                         static_cast<int32_t>(heads),
                                         kEpsilon};
    launcher.Start(LaunchOf(arguments, element, head_dim), &arguments, nullptr);
  });
  double worst = 0;
  for (int64_t row = 0; row < tokens * heads; ++row) {
    const uint16_t* head = before.data() + row / heads * stride + first + row % heads * head_dim;
    const auto expected = rotary.Head(element, head, norm, kEpsilon, positions[row / heads]);
    for (int64_t i = 0; i < head_dim; ++i) {
      const double pair = std::hypot(expected[i], expected[(i + head_dim / 2) % head_dim]);
      Worsen(worst, std::abs(Widened(element, y[row * head_dim + i]) - expected[i]) / pair);
    }
  }
  return {worst, 1.05 * Precision(element)};
}

Outcome Check(Machine& machine, const AttentionCase& attention) {
  const auto& [element, head_dim, heads, key_value_heads, has_norm, shared, lengths, is_padded, only_last, sharpness,
               first, has_foreign_infinity, seed] = attention;
  std::mt19937_64 random(seed);
  std::vector<std::vector<int32_t>> ids;
  std::vector<Sequence> sequences;
  for (const int64_t length : lengths) {
    std::vector<int32_t>& sequence = ids.emplace_back(static_cast<size_t>(shared));
    std::iota(sequence.begin(), sequence.end(), 0);
    // Tokens of few kinds: some sequences share more than is said.
    for (int64_t i = 0; i < length; ++i) sequence.push_back(static_cast<int32_t>(random() % 3));
  }
  for (const auto& sequence : ids) sequences.push_back({sequence, {}});
  PackedBatch packed = Pack(sequences);
  if (is_padded) PadToBuckets(packed);
  const std::vector<int32_t> flat = only_last ? packed.last_flat : packed.compact;
  TiledBatch batch = LayOutTiles(packed);
  std::vector<int32_t>& tiles = only_last ? batch.last_tiles : batch.tiles;

  const auto rows = static_cast<int64_t>(flat.size());
  const int64_t tokens = batch.tokens(), width = heads * head_dim, key_width = key_value_heads * head_dim;
  const int64_t q_stride = first + width, v_stride = first + key_width;
  Elements q = Normal(element, rows * q_stride, sharpness, 0, random),
           k = Normal(element, tokens * key_width, 1, 0, random), v = Normal(element, tokens * v_stride, 1, 0, random);
  if (has_foreign_infinity) {
    std::fill_n(k.begin(), key_width, Rounded(element, INFINITY));
    std::fill_n(v.begin(), v_stride, Rounded(element, INFINITY));
  }
  Elements norm = has_norm ? Normal(element, head_dim, 0.3 * sharpness, sharpness, random) : Elements{};
  Elements out = Unwritten(rows * width);
  Rotary rotary(head_dim, batch.longest);
  const std::vector<Buffer> buffers{Input("q", q),
                                    Input("k", k),
                                    Input("v", v),
                                    Input("q_norm", norm),
                                    Input("cos", rotary.cos),
                                    Input("sin", rotary.sin),
                                    Input("expand", batch.expand),
                                    Input("tiles", tiles),
                                    Output("out", out)};
  machine.Run(buffers, seed, [&](Launcher& launcher, std::span<void* const> at) {
    const AttentionArguments arguments{static_cast<const uint16_t*>(at[0]) + first,
                                       at[1],
                                       static_cast<const uint16_t*>(at[2]) + first,
                                       at[3],
                                       static_cast<const float*>(at[4]),
                                       static_cast<const float*>(at[5]),
                                       static_cast<const int32_t*>(at[6]),
                                       static_cast<const Tile*>(at[7]),
                                       at[8],
                                       batch.longest,
                                       static_cast<int32_t>(q_stride),
                                       static_cast<int32_t>(v_stride),
                                       static_cast<int32_t>(heads),
                                       static_cast<int32_t>(key_value_heads),
                                       kEpsilon};
    const auto count = static_cast<int64_t>(tiles.size()) / 4;
    launcher.Start(LaunchOf(arguments, element, head_dim, count), &arguments, nullptr);
  });

  double worst = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t position = flat[row] % batch.longest;
    // Where padding's rows stand is nobody's concern; they only have to be numbers.
    const bool is_padding = row > 0 && flat[row] == 0 && !only_last;
    const int32_t* line = batch.expand.data() + flat[row] / batch.longest * batch.longest;
    if (has_foreign_infinity && line[0] == 0) continue;
    for (int64_t head = 0; head < heads; ++head) {
      const uint16_t* got = out.data() + row * width + head * head_dim;
      if (is_padding) {
        for (int64_t i = 0; i < head_dim; ++i) Worsen(worst, 0 * Widened(element, got[i]));
        continue;
      }
      const int64_t key_head = head / (heads / key_value_heads);
      auto query = rotary.Head(element, q.data() + row * q_stride + first + head * head_dim, norm, kEpsilon, position);
      for (double& value : query) value = Widened(element, Rounded(element, value));  // as the kernel's
      std::vector<double> scores, expected(static_cast<size_t>(head_dim));
      for (int64_t key = 0; key <= position; ++key) {
        const uint16_t* at = k.data() + line[key] * key_width + key_head * head_dim;
        double product = 0;
        for (int64_t i = 0; i < head_dim; ++i) product += query[i] * Widened(element, at[i]);
        scores.push_back(product / std::sqrt(static_cast<double>(head_dim)));
      }
      const double highest = *std::max_element(scores.begin(), scores.end());
      double total = 0, most = 0;
      for (double& score : scores) total += score = std::exp(score - highest);
      for (int64_t key = 0; key <= position; ++key) {
        const uint16_t* at = v.data() + line[key] * v_stride + first + key_head * head_dim;
        for (int64_t i = 0; i < head_dim; ++i) {
          const double value = Widened(element, at[i]);
          expected[i] += scores[key] / total * value;
          most = std::max(most, std::abs(value));
        }
      }
      for (int64_t i = 0; i < head_dim; ++i) Worsen(worst, std::abs(Widened(element, got[i]) - expected[i]) / most);
    }
  }
  // The weights are rounded, and what comes of them; the rest is fp32's.
  return {worst, 2 * Precision(element) + 1e-5 * sharpness};
}

}  // namespace zrank::cuda::test
