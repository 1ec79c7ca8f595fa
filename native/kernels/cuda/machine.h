#pragma once

// What the kernels run on: a GPU, or where no nvcc compiles them the emulated one of the tests.

#ifdef __CUDACC__
#include "kernels/cuda/device.h"
#else
#include "test/cuda/emulated_device.h"
#endif
