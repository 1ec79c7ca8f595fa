#pragma once

namespace zrank {
namespace {

// e^x to about one unit in the last place. x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by its Taylor polynomial, which
// at degree 7 leaves less than 2^-27. Below -88 the result is 0 or nearly so.
template <typename Registers>
inline typename Registers::Floats Exp(typename Registers::Floats x) {
  using R = Registers;
  const auto constant = [](float value) { return R::Broadcast(value); };
  x = R::Min(R::Max(x, constant(-104.0f)), constant(88.7f));
  const auto n = R::Round(x * constant(1.44269504f));
  auto r = R::MultiplyAdd(n, constant(-0.693359375f), x);
  r = R::MultiplyAdd(n, constant(2.12194440e-4f), r);
  constexpr float kTaylor[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
  auto p = constant(1.0f / 5040);
#pragma GCC unroll 7
  for (float c : kTaylor) p = R::MultiplyAdd(p, r, constant(c));
  return R::Scale(p, n);
}

template <typename Registers>
inline typename Registers::Floats Silu(typename Registers::Floats x) {
  const auto one = Registers::Broadcast(1.0f);
  return x / (one + Exp<Registers>(-x));
}

}  // namespace
}  // namespace zrank
