#pragma once

namespace zrank {

// What this processor has of the instructions that kernels are made for, and the system saves the registers of.
struct Processor {
  bool avx2 = false;  // with FMA and F16C
  bool avx_vnni = false;
  bool avx512 = false;  // F, BW, VL and DQ
  bool avx512_bf16 = false;
  bool avx512_vnni = false;
  bool amx_bf16 = false;  // with the tiles, which a process has to ask for
};

const Processor& ThisProcessor();

}  // namespace zrank
