#include "binding/contract.h"

#include "core/contract.h"

namespace zrank {

namespace {

template <typename Names>
Napi::Array ToJs(Napi::Env env, const Names& names) {
  auto array = Napi::Array::New(env);
  for (const char* name : names) array.Set(array.Length(), name);
  return array;
}

}  // namespace

Napi::Object ContractToJs(Napi::Env env) {
  auto contract = Napi::Object::New(env);
  contract.Set("devices", ToJs(env, kWords<DeviceKind>));
  contract.Set("models", ToJs(env, kWords<ModelKind>));
  contract.Set("arithmetics", ToJs(env, kWords<Arithmetic>));
  contract.Set("poolings", ToJs(env, kWords<Pooling>));
  contract.Set("errorCodes", ToJs(env, kWords<ErrorCode>));

  auto graph = Napi::Object::New(env);
  graph.Set("inputs", ToJs(env, graph::kInputs));
  graph.Set("pagedInputs", ToJs(env, graph::kPagedInputs));
  graph.Set("tiledInputs", ToJs(env, graph::kTiledInputs));
  graph.Set("output", graph::kLogits);
  contract.Set("graph", graph);

  auto operators = Napi::Object::New(env);
  operators.Set("domain", op::kDomain);
  operators.Set("names", ToJs(env, std::array{op::kMatMul, op::kGatedMatMul, op::kAttention}));
  operators.Set("cudaNames",
                ToJs(env, std::array{op::kGatedUnits, op::kRotateHeads, op::kTiledAttention, op::kTunedMatMul}));
  operators.Set("attributes", ToJs(env, std::array{op::kArithmetic, op::kHeads, op::kKeyValueHeads, op::kEpsilon}));
  operators.Set("cudaAttributes", ToJs(env, std::array{op::kHeads, op::kKeyValueHeads, op::kEpsilon, op::kAlpha,
                                                       op::kScale, op::kColumns, op::kFirst}));
  contract.Set("operators", operators);

  auto sizes = Napi::Object::New(env);
  sizes.Set("int8Block", static_cast<double>(kInt8Block));
  sizes.Set("headDimMultiple", static_cast<double>(kHeadDimMultiple));
  sizes.Set("pagedBlock", kPagedBlockSize);
  sizes.Set("minPaddedLength", static_cast<double>(kMinPaddedLength));
  sizes.Set("paddedLengthSteps", static_cast<double>(kPaddedLengthSteps));
  contract.Set("sizes", sizes);
  return contract;
}

}  // namespace zrank
