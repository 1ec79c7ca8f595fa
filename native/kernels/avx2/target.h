#pragma once

#include "kernels/dispatch.h"

namespace zrank::avx2 {

// The kernels for x86-64-v3: AVX2, FMA and F16C; none on another architecture.
Target FindTarget();

}  // namespace zrank::avx2
