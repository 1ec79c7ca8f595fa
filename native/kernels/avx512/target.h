#pragma once

#include "kernels/dispatch.h"

namespace zrank::avx512 {

// What this processor can run of the kernels for AVX-512; without a name where that is nothing.
Target FindTarget();

}  // namespace zrank::avx512
