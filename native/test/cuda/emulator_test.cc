// The emulator itself: that it finds what a GPU does not promise. The kernels here are wrong on purpose.

#include "test/cuda/emulator.h"

#include <array>
#include <cstring>

#include "test/check.h"
#include "test/cuda/emulated_device.h"

namespace zrank::cuda {
namespace {

using emulation::Grid;
using emulation::Memory;

// What running a kernel fails with; empty where it does not, whatever the order of its threads.
std::string Failure(const Grid& grid, const std::function<void()>& kernel, Memory* memory = nullptr) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    try {
      emulation::Run(grid, memory, seed, kernel);
    } catch (const std::exception& exception) {
      return exception.what();
    }
  }
  return "";
}
bool Fails(const std::string& with, const Grid& grid, const std::function<void()>& kernel, Memory* memory = nullptr) {
  return Failure(grid, kernel, memory).find(with) != std::string::npos;
}

constexpr Grid kWarp{1, 32, 256}, kBlock{1, 64, 256};
const uint32_t kOne = 1;

// Each thread writes a word and reads that of a neighbour.
void Exchange(int distance, void (*wait)()) {
  WriteShared(static_cast<uint32_t>(Thread() * 4), kOne);
  wait();
  ReadSharedIndex(static_cast<uint32_t>((Thread() ^ distance) * 4));
}

TEST(a_barrier_orders_threads_and_nothing_else_does) {
  CHECK_EQ(Failure(kBlock, [] { Exchange(32, Barrier); }), "");
  CHECK_EQ(Failure(kWarp, [] { Exchange(1, WarpBarrier); }), "");
  CHECK(Fails("no barrier between", kBlock, [] { Exchange(32, WarpBarrier); }) ||
        Fails("never written", kBlock, [] { Exchange(32, WarpBarrier); }));
  CHECK_EQ(Failure(kWarp, [] { Exchange(0, [] {}); }), "");
  CHECK(!Failure(kWarp, [] { Exchange(1, [] { ShuffleXor(0, 1); }); }).empty());
}

TEST(what_is_read_must_not_be_written_before_a_barrier) {
  CHECK(Fails("no barrier between", kBlock, [] {
    if (Thread() == 0) WriteShared(0, kOne);
    Barrier();
    if (Thread() == 5) ReadSharedIndex(0);
    if (Thread() == 40) WriteShared(0, kOne);
  }));
}

TEST(copies_are_not_there_before_they_are_waited_for) {
  alignas(16) static const std::array<Chunk, 2> source{Chunk{{1, 2, 3, 4}}, Chunk{{5, 6, 7, 8}}};
  const auto copy = [](bool waits) {
    if (Thread() == 0) CopyAsync(16, &source[1], true);
    if (Thread() == 1) CopyAsync(32, &source[1], false);
    if (waits) WaitForCopies();
    Barrier();
    if (!waits) WaitForCopies();
    const int32_t first = ReadSharedIndex(16), zero = ReadSharedIndex(32);
    if (first != 5 || zero != 0) throw std::runtime_error("the copy is wrong");
  };
  CHECK_EQ(Failure(kWarp, [&] { copy(true); }), "");
  CHECK(Fails("still being copied", kWarp, [&] { copy(false); }));
  CHECK(Fails("ended while it copies", kWarp, [] { CopyAsync(0, &source[0], true); }));
}

TEST(accesses_outside_of_memory_are_found) {
  CHECK(Fails("16 bytes of shared memory at 256", kWarp, [] { WriteShared(256, Chunk{}); }));
  CHECK(Fails("16 bytes of shared memory at 8", kWarp, [] { WriteShared(8, Chunk{}); }));
  CHECK(Fails("was never written", kWarp, [] { ReadSharedIndex(0); }));

  alignas(16) std::array<uint32_t, 9> data{};
  Memory memory;
  memory.AddInput("input", data.data(), 16);
  memory.AddOutput("output", data.data() + 4, 16);
  const auto fails = [&](const std::string& with, const std::function<void()>& kernel) {
    return Fails(with, kWarp, kernel, &memory);
  };
  CHECK_EQ(Failure(kWarp, [&] { Read(&data[3]); }, &memory), "");
  CHECK(fails("4 bytes at 16 of output, which has 16", [&] { Read(&data[8]); }));
  CHECK(fails("a write to input", [&] { Write(&data[0], kOne); }));
  CHECK(fails("misaligned",
              [&] { Read(reinterpret_cast<const uint32_t*>(reinterpret_cast<const char*>(data.data()) + 2)); }));
  CHECK_EQ(memory.Unwritten(), size_t{16});
  CHECK(fails("two threads", [&] { Write(&data[4], kOne); }));
}

TEST(threads_that_wait_at_different_places_are_found) {
  CHECK(Fails("lanes part", kWarp, [] { Thread() % 2 == 0 ? void(ShuffleXor(0, 1)) : WarpBarrier(); }));
  CHECK(Fails("threads wait", kBlock, [] {
    if (Thread() != 7) Barrier();
  }));
}

TEST(the_lanes_of_a_warp_exchange_fragments_as_the_instructions_do) {
  const auto kernel = [] {
    // The 16 x 16 numbers 0 to 255 in bf16, which has them all.
    for (int i = 0; i < 8; i += 2) {
      const int element = Thread() * 8 + i;
      WriteShared(static_cast<uint32_t>(element * 2),
                  Bf16::Pack(static_cast<float>(element), static_cast<float>(element + 1)));
    }
    Barrier();
    const int row = Thread() % 16, half = Thread() / 16;
    const uint32_t offsets[1] = {static_cast<uint32_t>(row * 32 + half * 16)};
    uint32_t plain[1][4], transposed[1][4];
    LoadMatrices(plain, offsets);
    LoadTransposed(transposed, offsets);
    const int group = Thread() / 4, pair = Thread() % 4 * 2;
    const auto expect = [](uint32_t word, int lo, int hi) {
      const auto [first, second] = Bf16::Unpack(word);
      if (first != static_cast<float>(lo) || second != static_cast<float>(hi)) throw std::runtime_error("fragments");
    };
    for (int part = 0; part < 4; ++part) {
      const int top = part % 2 * 8, left = part / 2 * 8;
      expect(plain[0][part], (top + group) * 16 + left + pair, (top + group) * 16 + left + pair + 1);
      expect(transposed[0][part], (top + pair) * 16 + left + group, (top + pair + 1) * 16 + left + group);
    }
    // Times the first 8 columns of the identity.
    const uint32_t identity[1][2] = {{Bf16::Pack(pair == group ? 1 : 0, pair + 1 == group ? 1 : 0), Bf16::Pack(0, 0)}};
    float c[1][1][4] = {{{1, 1, 1, 1}}};
    MultiplyAdd<Bf16>(c, 0, plain, identity);
    for (int part = 0; part < 4; ++part) {
      const int expected = (group + part / 2 * 8) * 16 + pair + part % 2 + 1;
      if (c[0][0][part] != static_cast<float>(expected)) throw std::runtime_error("the product");
    }
  };
  CHECK_EQ(Failure({1, 32, 512}, kernel), "");
}

TEST(sixteen_bit_numbers_round_to_nearest_even) {
  using namespace emulation;
  CHECK_EQ(HalfFromFloat(1.0f + 0x1p-11f), uint16_t{0x3c00});
  CHECK_EQ(HalfFromFloat(1.0f + 0x1.8p-10f), uint16_t{0x3c02});
  CHECK_EQ(HalfFromFloat(65'519.0f), uint16_t{0x7bff});
  CHECK_EQ(HalfFromFloat(-65'520.0f), uint16_t{0xfc00});
  CHECK_EQ(HalfFromFloat(0x1.8p-24f), uint16_t{0x0002});
  CHECK_EQ(HalfFromFloat(0x1p-25f), uint16_t{0x0000});
  CHECK_EQ(BrainFromFloat(1.0f + 0x1p-8f), uint16_t{0x3f80});
  CHECK_EQ(BrainFromFloat(1.0f + 0x1.8p-7f), uint16_t{0x3f82});
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (HalfFromFloat(FloatFromHalf(half)) != half) CHECK_EQ(HalfFromFloat(FloatFromHalf(half)), half);
  }
}

}  // namespace
}  // namespace zrank::cuda
