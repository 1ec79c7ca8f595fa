#include "test/cuda/emulated_kernels.h"

#include <functional>
#include <stdexcept>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/gated_units.h"
#include "kernels/cuda/rotate_heads.h"

namespace zrank::cuda::emulation {

namespace {

using Kernel = void (*)(const void*);
using Kernels = std::map<std::string, Kernel>;

template <typename T, int kDim>
void AddHeads(Kernels& kernels, const std::string& type) {
  const std::string suffix = "_" + type + "_" + std::to_string(kDim);
  kernels["rotate_heads" + suffix] = [](const void* arguments) {
    RotateHeads<T, kDim>(*static_cast<const RotateHeadsArguments*>(arguments));
  };
  kernels["attention" + suffix] = [](const void* arguments) {
    AttentionKernel<T, kDim>::Run(*static_cast<const AttentionArguments*>(arguments));
  };
}

template <typename T>
void Add(Kernels& kernels, const std::string& type) {
  kernels["gated_units_" + type] = [](const void* arguments) {
    GatedUnits<T>(*static_cast<const GatedUnitsArguments*>(arguments));
  };
  AddHeads<T, 32>(kernels, type);
  AddHeads<T, 64>(kernels, type);
  AddHeads<T, 96>(kernels, type);
  AddHeads<T, 128>(kernels, type);
}

const Kernels& All() {
  static const Kernels kernels = [] {
    Kernels all;
    Add<Fp16>(all, "fp16");
    Add<Bf16>(all, "bf16");
    return all;
  }();
  return kernels;
}

}  // namespace

bool HasKernel(const std::string& name) { return All().contains(name); }

void EmulatedLauncher::Start(const Launch& launch, const void* arguments, void*) {
  if (!HasKernel(launch.kernel)) throw std::runtime_error("there is no kernel " + launch.kernel);
  const Kernel kernel = All().at(launch.kernel);
  Run({launch.blocks, launch.threads, launch.shared_bytes}, memory_, seed_, [&] { kernel(arguments); });
}

}  // namespace zrank::cuda::emulation
