// The real DriverLauncher and the real fatbin on a driver that is a double (stub_driver.cc): it takes no machine code
// from the fatbin, and runs the kernels' source on the emulator.

#include "kernels/cuda/driver_launcher.h"

#include <string>
#include <vector>

#include "core/error.h"
#include "test/check.h"
#include "test/cuda/gpu_machine.h"
#include "test/cuda/sixteen_bits.h"

namespace zrank::cuda {
namespace {

char stream;

std::string Failure(Launcher& launcher, const Launch& launch) {
  try {
    const GatedUnitsArguments none{};
    launcher.Start(launch, &none, &stream);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(kernels_are_launched_through_the_driver) {
  DriverLauncher launcher(ZRANK_STUB_CUDA);
  alignas(16) uint16_t gate[10], up[10], y[10] = {};
  for (int i = 0; i < 10; ++i) {
    gate[i] = emulation::HalfFromFloat(30);
    up[i] = emulation::HalfFromFloat(static_cast<float>(i));
  }
  const GatedUnitsArguments arguments{gate, up, y, 1, 10, 10, 1};
  for (int run = 0; run < 2; ++run) launcher.Start(LaunchOf(arguments, Element::kFp16), &arguments, &stream);
  for (int i = 0; i < 10; ++i) CHECK_EQ(emulation::FloatFromHalf(y[i]), static_cast<float>(30 * i));
  // More shared memory than a kernel has without asking.
  const Tile nothing[1] = {};
  AttentionArguments empty{};
  empty.heads = empty.key_value_heads = 1;
  empty.tiles = nothing;
  const Launch large = LaunchOf(empty, Element::kFp16, 128, 1);
  CHECK(large.shared_bytes > 48 * 1024);
  launcher.Start(large, &empty, &stream);
  launcher.Start({"attention_fp16_128", 0, 128, 0}, &empty, &stream);
}

TEST(cases_run_on_a_gpu_as_on_the_emulator) {
  test::GpuMachine gpu(ZRANK_STUB_CUDA);
  test::EmulatedMachine emulated;
  const auto expect = [&](const auto& given) {
    const auto [error, bound] = Check(gpu, given);
    CHECK(error > 0 && error <= bound);
    CHECK_EQ(error, Check(emulated, given).error);
  };
  expect(test::GatedUnitsCase{.columns = 100});
  expect(test::RotateHeadsCase{.head_dim = 32, .heads = 2, .tokens = 5, .has_norm = false});
  expect(test::AttentionCase{.head_dim = 32, .heads = 2, .key_value_heads = 1, .shared = 3, .lengths = {4, 70}});
}

TEST(what_the_driver_refuses_is_said_in_its_words) {
  DriverLauncher launcher(ZRANK_STUB_CUDA);
  CHECK_EQ(Failure(launcher, {"no_such_kernel", 1, 32, 0}),
           "CUDA failure 500: named symbol not found ; in cuModuleGetFunction");
  CHECK_EQ(Failure(launcher, {"gated_units_fp16", int64_t{1} << 31, 256, 0}),
           "gated_units_fp16 would take 2147483648 blocks");
  DriverLauncher nowhere("/nowhere/libcuda.so.1");
  CHECK(Failure(nowhere, {"gated_units_fp16", 1, 256, 0}).find("/nowhere/libcuda.so.1") != std::string::npos);
}

}  // namespace
}  // namespace zrank::cuda
