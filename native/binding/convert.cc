#include "binding/convert.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

#include "core/packed_decoder.h"
#include "core/padded_encoder.h"
#include "core/words.h"

namespace zrank {

namespace {

std::string Text(Napi::Object object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::map<std::string, std::string> Texts(Napi::Object object, const char* name) {
  std::map<std::string, std::string> texts;
  const Napi::Value value = object.Get(name);
  if (!value.IsObject()) return texts;
  for (const auto& [key, text] : value.As<Napi::Object>()) {
    texts[key.As<Napi::String>()] = static_cast<Napi::Value>(text).As<Napi::String>().Utf8Value();
  }
  return texts;
}

double Number(Napi::Object object, const char* name) { return object.Get(name).As<Napi::Number>().DoubleValue(); }

template <typename Array, typename T>
std::vector<T> Copy(Napi::Object object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Array>();
  return std::vector<T>(array.Data(), array.Data() + array.ElementLength());
}

SessionSpec ToDecoderSpec(Napi::Object model, int threads, const std::string& profile_prefix) {
  SessionSpec spec;
  const auto graph = Copy<Napi::Uint8Array, uint8_t>(model, "graph");
  spec.graph.assign(graph.begin(), graph.end());
  spec.weight_folder = Text(model, "weightFolder");
  spec.prepack = model.Get("prepack").As<Napi::Boolean>();
  spec.device = {Parse<DeviceKind>(Text(model, "device"), "device"), static_cast<int>(Number(model, "deviceIndex")),
                 Texts(model, "providerOptions")};
  spec.intra_op_threads = threads;
  spec.profile_prefix = profile_prefix;
  return spec;
}

EncoderSpec ToEncoderSpec(Napi::Object model, int threads, const std::string& profile_prefix) {
  EncoderSpec spec;
  spec.session.graph_path = Text(model, "graphPath");
  spec.session.intra_op_threads = threads;
  spec.session.optimize = true;
  spec.session.profile_prefix = profile_prefix;
  const auto pooling = model.Get("pooling").As<Napi::Array>();
  for (uint32_t i = 0; i < pooling.Length(); ++i) {
    spec.pooling.push_back(Parse<Pooling>(pooling.Get(i).As<Napi::String>(), "pooling"));
  }
  spec.normalize = model.Get("normalize").As<Napi::Boolean>();
  spec.pad_id = static_cast<int64_t>(Number(model, "padId"));
  return spec;
}

ModelFactory ToModelFactory(Napi::Object model, int threads, const std::string& profile_prefix = {}) {
  if (Parse<ModelKind>(Text(model, "kind"), "kind of model") == ModelKind::kPaddedEncoder) {
    return [spec = ToEncoderSpec(model, threads, profile_prefix)] { return std::make_unique<PaddedEncoder>(spec); };
  }
  const Napi::Value squares = model.Get("maxSquares");
  const int64_t max_squares =
      squares.IsNumber() ? squares.As<Napi::Number>().Int64Value() : std::numeric_limits<int64_t>::max();
  return [spec = ToDecoderSpec(model, threads, profile_prefix), max_squares] {
    return std::make_unique<PackedDecoder>(spec, max_squares);
  };
}

}  // namespace

EngineSpec ToEngineSpec(Napi::Object options) {
  const auto threads = static_cast<int>(Number(options, "intraOpThreads"));
  EngineSpec spec;
  const bool on_gpus = options.Get("onGpus").As<Napi::Boolean>();
  const auto workers = static_cast<int>(Number(options, "workers"));
  spec.concurrency = on_gpus ? kGpuConcurrency : CpuConcurrency(workers, options.Get("hasTeam").As<Napi::Boolean>());
  const std::string profile_prefix = Text(options, "profilePrefix");
  const auto replicas = options.Get("replicas").As<Napi::Array>();
  for (uint32_t i = 0; i < replicas.Length(); ++i) {
    const bool is_one_of_many = !profile_prefix.empty() && replicas.Length() > 1;
    const std::string prefix = is_one_of_many ? profile_prefix + "-" + std::to_string(i) : profile_prefix;
    spec.replicas.push_back(ToModelFactory(replicas.Get(i).As<Napi::Object>(), threads, prefix));
  }
  const Napi::Value fallback = options.Get("fallback");
  if (fallback.IsObject()) {
    spec.fallback = ToModelFactory(fallback.As<Napi::Object>(), static_cast<int>(Number(options, "fallbackThreads")));
  }
  return spec;
}

Block ToBlock(Napi::Object object) {
  Block block;
  block.ids = Copy<Napi::Int32Array, int32_t>(object, "ids");
  block.type_ids = Copy<Napi::Uint8Array, uint8_t>(object, "typeIds");
  block.offsets = Copy<Napi::Uint32Array, uint32_t>(object, "offsets");
  block.groups = Copy<Napi::Uint32Array, uint32_t>(object, "groups");
  block.to_come = std::max(0.0, Number(object, "toCome"));
  return block;
}

Work ToWork(Napi::Object object) {
  Work work;
  work.block = ToBlock(object);
  work.limits.max_tokens = static_cast<uint64_t>(Number(object, "maxBatchTokens"));
  work.limits.stretch = static_cast<uint64_t>(Number(object, "prefixStretch"));
  // The packed layout counts its positions in 32 bits.
  work.limits.max_padded_tokens = static_cast<uint64_t>(std::min<double>(Number(object, "maxPaddedTokens"), INT32_MAX));
  work.max_queue_tokens = static_cast<uint64_t>(Number(object, "maxQueueTokens"));
  work.weight = std::clamp<uint32_t>(static_cast<uint32_t>(Number(object, "weight")), 1, kMaxWeight);
  return work;
}

Napi::Object ToJs(Napi::Env env, const EngineCounters& counters) {
  auto object = Napi::Object::New(env);
  object.Set("batches", static_cast<double>(counters.batches));
  object.Set("sequences", static_cast<double>(counters.sequences));
  object.Set("tokens", static_cast<double>(counters.tokens));
  object.Set("computedTokens", static_cast<double>(counters.computed_tokens));
  object.Set("paddedTokens", static_cast<double>(counters.padded_tokens));
  object.Set("runSeconds", counters.run_seconds);
  object.Set("computeSeconds", counters.compute_seconds);
  object.Set("outOfMemory", static_cast<double>(counters.out_of_memory));
  object.Set("notFinite", static_cast<double>(counters.not_finite));
  object.Set("queuedTokens", static_cast<double>(counters.queued_tokens));
  return object;
}

Napi::Object ToJs(Napi::Env env, const OrtRuntime& runtime) {
  auto object = Napi::Object::New(env);
  object.Set("path", runtime.library_path());
  object.Set("version", runtime.version());
  auto providers = Napi::Array::New(env);
  for (const std::string& name : Ort::GetAvailableProviders()) providers.Set(providers.Length(), name);
  object.Set("providers", providers);
  return object;
}

Napi::Array ToJs(Napi::Env env, const std::vector<CudaDevice>& devices) {
  auto array = Napi::Array::New(env);
  for (const CudaDevice& device : devices) {
    auto object = Napi::Object::New(env);
    object.Set("index", device.index);
    object.Set("name", device.name);
    object.Set("computeCapability", std::to_string(device.compute_major) + '.' + std::to_string(device.compute_minor));
    object.Set("totalMemory", static_cast<double>(device.total_memory));
    if (device.free_memory) object.Set("freeMemory", static_cast<double>(*device.free_memory));
    array.Set(array.Length(), object);
  }
  return array;
}

Napi::Object ToJs(Napi::Env env, const Target& in_use, const std::vector<Target>& all) {
  auto arithmetics = Napi::Array::New(env), instruction_sets = Napi::Array::New(env), missing = Napi::Array::New(env);
  for (size_t i = 0; i < kWords<Arithmetic>.size(); ++i) {
    const auto arithmetic = static_cast<Arithmetic>(i);
    if (in_use[arithmetic].is_supported) arithmetics.Set(arithmetics.Length(), Word(arithmetic));
  }
  for (const Target& target : all) {
    for (const Target::Kernels& kernels : target.kernels) {
      if (kernels.instructions == nullptr) continue;
      Napi::Array& names = kernels.is_supported ? instruction_sets : missing;
      names.Set(names.Length(), kernels.instructions);
    }
  }
  auto object = Napi::Object::New(env);
  object.Set("target", in_use.name);
  object.Set("arithmetics", arithmetics);
  object.Set("instructionSets", instruction_sets);
  object.Set("missingInstructionSets", missing);
  return object;
}

Napi::Value ToJs(Napi::Env env, const std::exception& exception) {
  const Error error = Classify(exception, ErrorCode::kInternal);
  Napi::Object object = Napi::Error::New(env, error.what()).Value();
  object.Set("code", Word(error.code()));
  return object;
}

}  // namespace zrank
