#pragma once

#include <type_traits>

#include "binding/convert.h"
#include "binding/node_api.h"

namespace zrank {

// Runs a callback's body: native exceptions become JavaScript's, with their code.
template <typename Body>
Napi::Value Guarded(Napi::Env env, Body body) {
  try {
    if constexpr (!std::is_void_v<decltype(body())>) return body();
    body();
    return env.Undefined();
  } catch (const std::exception& exception) {
    throw Napi::Error(env, ToJs(env, exception));
  }
}

template <auto kFunction>
Napi::Value GuardedFunction(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return kFunction(info); });
}

// The only way for a function to get into JavaScript, so that none goes unguarded.
template <auto kFunction>
void Export(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<GuardedFunction<kFunction>>(exports.Env(), name));
}

}  // namespace zrank
