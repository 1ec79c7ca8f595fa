#include "kernels/processor.h"

#ifdef ZRANK_X86_64
#include <cpuid.h>
#endif

namespace zrank {

namespace {

#ifdef ZRANK_X86_64

// Bit numbers of the Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID, and volume 1, 13.3.
// Not __builtin_cpu_supports, which says no to everything where zig's runtime library is linked.
Processor Ask() {
  const auto bit = [](unsigned word, unsigned number) { return (word >> number & 1) != 0; };
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27)) return {};  // OSXSAVE
  const bool fma = bit(c, 12), avx = bit(c, 28), f16c = bit(c, 29);
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const auto saves = [&](unsigned state) { return (low & state) == state; };
  const bool wide = avx && saves(0x6), wider = wide && saves(0xe0), tiles = wider && saves(0x60000);

  Processor processor;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return processor;
  const unsigned subleaves = a;
  processor.avx2 = wide && fma && f16c && bit(b, 5);
  processor.avx512 = wider && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
  processor.avx512_vnni = processor.avx512 && bit(c, 11);
  const bool amx_bf16 = tiles && bit(d, 22) && bit(d, 24);
  if (subleaves < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return processor;
  processor.avx_vnni = processor.avx2 && bit(a, 4);
  processor.avx512_bf16 = processor.avx512 && bit(a, 5);
  processor.amx_bf16 = processor.avx512_bf16 && amx_bf16;
  return processor;
}

#else

Processor Ask() { return {}; }

#endif

}  // namespace

const Processor& ThisProcessor() {
  static const Processor processor = Ask();
  return processor;
}

}  // namespace zrank
