#pragma once

#include "kernels/dispatch.h"

namespace zrank::amx {

// The kernels for AMX, with those of AVX-512 for what it does not do; none on another architecture. Asks Linux to let
// this process use the tiles, which it grants once and for all threads.
Target FindTarget();

}  // namespace zrank::amx
