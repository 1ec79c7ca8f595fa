#pragma once

#include <exception>
#include <string>
#include <vector>

#include "binding/node_api.h"
#include "core/cuda_driver.h"
#include "core/engine.h"
#include "core/ort_runtime.h"
#include "kernels/dispatch.h"

namespace zrank {

// src/addon.ts states these shapes and has checked them: C++ trusts what comes, but for words (core/words.h).
EngineSpec ToEngineSpec(Napi::Object options);
Block ToBlock(Napi::Object object);
Work ToWork(Napi::Object work);
Napi::Object ToJs(Napi::Env env, const EngineCounters& counters);
Napi::Object ToJs(Napi::Env env, const OrtRuntime& runtime);
Napi::Array ToJs(Napi::Env env, const std::vector<CudaDevice>& devices);
Napi::Object ToJs(Napi::Env env, const Target& in_use, const std::vector<Target>& all);

// A JavaScript Error with the property `code`.
Napi::Value ToJs(Napi::Env env, const std::exception& exception);

}  // namespace zrank
