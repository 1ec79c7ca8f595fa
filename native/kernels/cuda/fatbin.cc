#include "kernels/cuda/fatbin.h"

#ifdef ZRANK_CUDA_FATBIN  // its path
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".hidden zrank_cuda_fatbin\n"
    ".globl zrank_cuda_fatbin\n"
    "zrank_cuda_fatbin:\n"
    ".incbin \"" ZRANK_CUDA_FATBIN
    "\"\n"
    ".popsection\n");
extern "C" const char zrank_cuda_fatbin[];
#endif

namespace zrank::cuda {

const void* Fatbin() {
#ifdef ZRANK_CUDA_FATBIN
  return zrank_cuda_fatbin;
#else
  return nullptr;
#endif
}

}  // namespace zrank::cuda
