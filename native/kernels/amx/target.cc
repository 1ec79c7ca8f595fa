#include "kernels/amx/target.h"

#include "kernels/amx/kernels.h"
#include "kernels/avx512/target.h"
#include "kernels/processor.h"

#ifdef ZRANK_AMX
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace zrank::amx {

namespace {

#ifdef ZRANK_AMX
// The kernel's Documentation/arch/x86/xstate.rst: a process asks for tile data before it uses them.
bool MayUseTiles() {
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

}  // namespace

Target FindTarget() {
  Target target{.name = "amx"};
#ifdef ZRANK_AMX
  target = avx512::FindTarget();
  target.name = "amx";
  const bool has = ThisProcessor().amx_bf16 && MayUseTiles();
  for (const Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kInt8}) {
    target[arithmetic].is_supported &= has;
    target[arithmetic].instructions = nullptr;
  }
  target[Arithmetic::kBf16] = {"AMX_BF16", has, &kGemmBf16, &kAttentionBf16};
#endif
  return target;
}

}  // namespace zrank::amx
