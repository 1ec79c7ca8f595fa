#pragma once

#if defined(__SSE__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace zrank {

// While it lives, this thread's arithmetic takes denormal numbers (below 1.2e-38 in fp32) for zero. x86 processors
// compute with them by microcode, in tens of cycles each: fp32 products of a network whose activations fade out took
// 1.8 times as long. Matrix instructions in bf16 do so by themselves. The thread is JavaScript's as well, whose numbers
// have denormals, so what was set before comes back.
class FlushDenormals {
 public:
  FlushDenormals() : before_(Read()) { Write(before_ | kFlush); }
  ~FlushDenormals() { Write(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE__) || defined(_M_X64)
  using Register = uint32_t;
  static constexpr Register kFlush = 0x8040;  // MXCSR's "flush to zero" (results) and "denormals are zeros" (operands)
  static Register Read() { return _mm_getcsr(); }
  static void Write(Register value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
  using Register = uint64_t;
  static constexpr Register kFlush = 1 << 24;  // FPCR.FZ
  static Register Read() {
    Register value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void Write(Register value) { asm volatile("msr fpcr, %0" ::"r"(value)); }
#endif

  const Register before_;
};

}  // namespace zrank
