#pragma once

#include "kernels/dispatch.h"

namespace zrank::avx512 {

// The kernels for AVX-512; none on another architecture.
Target FindTarget();

}  // namespace zrank::avx512
