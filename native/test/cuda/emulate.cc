// Runs the CUDA kernels on the emulated GPU, or on a real one, in shapes of the caller's choice.

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>

#include "core/ort_runtime.h"
#include "core/tiles.h"
#include "kernels/cuda/cublas_lt.h"
#include "kernels/ops/cuda_ops.h"
#include "test/cuda/emulated_kernels.h"
#include "test/cuda/gpu_machine.h"
#include "test/cuda/kernel_cases.h"

namespace zrank::cuda::test {
namespace {

constexpr const char* kUsage =
    R"(zrank_emulate gated-units  [--rows N] [--columns N] [--scale X] [--in-place | --merged]
zrank_emulate rotate-heads [--head-dim N] [--heads N] [--tokens N] [--no-norm] [--in-place | --first N]
zrank_emulate attention    [--head-dim N] [--heads N] [--key-value-heads N] [--shared N] [--lengths N,N,...]
                           [--no-norm] [--padded] [--last] [--sharpness X] [--first N]
zrank_emulate random       [--cases N]
    a kernel on random numbers against plain sums; random draws the shapes too. Merged are gate and up as columns of one
    matrix, and what is read begins at the column --first of a wider one.
    Each with [--element fp16|bf16] [--seed N], and on the first GPU instead of the emulator with [--gpu]. Exit code 1
    where one is wrong. --keep FOLDER, of one kernel alone, leaves there the bytes of each buffer as NAME.in, and of
    those that it writes as NAME.out (numpy_check.py reads them).
zrank_emulate graph ONNXRUNTIME GRAPH WEIGHTS
    logits of a graph with attention 'tiled', whose other operators ONNX Runtime computes on the CPU, and tuned products
    a double of cuBLASLt; ids of a sequence a line of the standard input.
)";

class Options {
 public:
  Options(int count, char** arguments) {
    for (int i = 0; i < count; ++i) {
      const std::string name = arguments[i];
      if (name.rfind("--", 0) != 0) throw std::invalid_argument("unexpected " + name);
      const bool has_value = i + 1 < count && std::strncmp(arguments[i + 1], "--", 2) != 0;
      values_[name.substr(2)] = has_value ? arguments[++i] : "";
    }
  }
  bool Has(const std::string& name) { return Take(name).has_value(); }
  std::string Text(const std::string& name, const std::string& otherwise) { return Take(name).value_or(otherwise); }
  template <typename Number>
  Number Read(const std::string& name, Number otherwise) {
    const auto text = Take(name);
    return text ? Parse<Number>(name, *text) : otherwise;
  }
  std::vector<int64_t> List(const std::string& name, std::vector<int64_t> otherwise) {
    const auto text = Take(name);
    if (!text) return otherwise;
    std::vector<int64_t> numbers;
    std::istringstream parts(*text);
    for (std::string part; std::getline(parts, part, ',');) numbers.push_back(Parse<int64_t>(name, part));
    return numbers;
  }
  void RequireNone() const {
    if (!values_.empty()) throw std::invalid_argument("unknown option --" + values_.begin()->first);
  }

 private:
  template <typename Number>
  static Number Parse(const std::string& name, const std::string& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0)
      throw std::invalid_argument("--" + name + " is no number: " + text);
    return number;
  }
  std::optional<std::string> Take(const std::string& name) {
    const auto node = values_.extract(name);
    return node ? std::optional(node.mapped()) : std::nullopt;
  }
  std::map<std::string, std::string> values_;
};

// Keeps what a kernel is given and what it makes of it, a file a buffer.
class KeepingMachine : public Machine {
 public:
  KeepingMachine(std::unique_ptr<Machine> machine, std::filesystem::path folder)
      : machine_(std::move(machine)), folder_(std::move(folder)) {}

  void Run(std::span<const Buffer> buffers, uint64_t seed, const Start& start) override {
    for (const Buffer& buffer : buffers) Write(buffer, ".in");
    machine_->Run(buffers, seed, start);
    for (const Buffer& buffer : buffers)
      if (buffer.is_output) Write(buffer, ".out");
  }

 private:
  void Write(const Buffer& buffer, const char* suffix) const {
    std::ofstream file(folder_ / (buffer.name + suffix), std::ios::binary);
    if (buffer.data != nullptr)
      file.write(static_cast<const char*>(buffer.data), static_cast<std::streamsize>(buffer.bytes));
    if (!file.flush()) throw std::runtime_error("cannot write " + buffer.name + suffix + " in " + folder_.string());
  }

  const std::unique_ptr<Machine> machine_;
  const std::filesystem::path folder_;
};

std::ostream& operator<<(std::ostream& out, const GatedUnitsCase& gated) {
  return out << "gated-units --rows " << gated.rows << " --columns " << gated.columns << " --scale " << gated.scale
             << (gated.in_place ? " --in-place" : "") << (gated.is_merged ? " --merged" : "");
}
std::ostream& operator<<(std::ostream& out, const RotateHeadsCase& rotated) {
  return out << "rotate-heads --head-dim " << rotated.head_dim << " --heads " << rotated.heads << " --tokens "
             << rotated.tokens << (rotated.has_norm ? "" : " --no-norm") << (rotated.in_place ? " --in-place" : "")
             << " --first " << rotated.first;
}
std::ostream& operator<<(std::ostream& out, const AttentionCase& attention) {
  out << "attention --head-dim " << attention.head_dim << " --heads " << attention.heads << " --key-value-heads "
      << attention.key_value_heads << " --shared " << attention.shared << " --lengths ";
  for (size_t i = 0; i < attention.lengths.size(); ++i) out << (i > 0 ? "," : "") << attention.lengths[i];
  return out << (attention.has_norm ? "" : " --no-norm") << (attention.is_padded ? " --padded" : "")
             << (attention.only_last ? " --last" : "") << " --sharpness " << attention.sharpness << " --first "
             << attention.first;
}

template <typename Case>
bool Report(Machine& machine, const Case& given) {
  std::cout << given << " --element " << kElementNames[static_cast<int>(given.element)] << " --seed " << given.seed
            << ": " << std::flush;
  try {
    const Outcome outcome = Check(machine, given);
    std::cout << (outcome.is_right() ? "ok" : "WRONG") << ", off by " << outcome.error << ", at most " << outcome.bound
              << '\n';
    return outcome.is_right();
  } catch (const std::exception& exception) {
    std::cout << "WRONG, " << exception.what() << '\n';
    return false;
  }
}

bool Random(Machine& machine, int64_t cases, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return static_cast<int64_t>(random() % bound); };
  const auto chance = [&] { return below(2) == 0; };
  const int64_t dims[] = {32, 64, 96, 128};
  bool is_right = true;
  for (int64_t i = 0; i < cases; ++i) {
    const auto element = chance() ? Element::kFp16 : Element::kBf16;
    const int64_t dim = dims[below(4)];
    const uint64_t case_seed = random() % 1'000'000;
    switch (below(5)) {
      case 0: {
        GatedUnitsCase gated{.element = element, .scale = chance() ? 1 : 32.0f, .seed = case_seed};
        gated.is_merged = chance();
        gated.in_place = !gated.is_merged && chance();
        gated.rows = gated.is_merged ? 1 + below(20) : 1;
        gated.columns = gated.is_merged ? 8 * (1 + below(500)) : 1 + below(20'000);
        is_right &= Report(machine, gated);
        break;
      }
      case 1: {
        RotateHeadsCase rotated{element, dim, 1 + below(12), 1 + below(100), chance(), chance()};
        rotated.first = rotated.in_place ? 0 : 8 * below(20);
        rotated.seed = case_seed;
        is_right &= Report(machine, rotated);
        break;
      }
      default:
        const int64_t key_value_heads = 1 + below(3), group = 1 + below(chance() ? 4 : 24);
        AttentionCase attention;
        attention.element = element;
        attention.head_dim = dim;
        attention.heads = key_value_heads * group;
        attention.key_value_heads = key_value_heads;
        attention.has_norm = chance();
        attention.shared = below(150);
        for (int64_t count = 1 + below(6); count > 0; --count) attention.lengths.push_back(1 + below(150));
        attention.is_padded = chance();
        attention.only_last = below(4) == 0;
        attention.sharpness = chance() ? 1 : 4;
        attention.first = 8 * below(20);
        attention.seed = case_seed;
        is_right &= Report(machine, attention);
    }
  }
  return is_right;
}

std::vector<float> Logits(const std::string& library, const std::string& graph, const std::string& weights,
                          const std::vector<std::vector<int32_t>>& ids) {
  std::vector<Sequence> sequences;
  for (const auto& sequence : ids) sequences.push_back({sequence, {}});
  PackedBatch packed = Pack(sequences);
  PadToBuckets(packed);
  const TiledBatch tiled = LayOutTiles(packed);

  emulation::EmulatedLauncher launcher;
  Ort::Env& env = OrtRuntime::Open(library).env();
  Ort::CustomOpDomain domain(op::kDomain);
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  AddCudaOps(domain, {launcher, multiplier}, nullptr);
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
  options.DisableMemPattern();
  options.Add(domain);
  options.AddConfigEntry("session.model_external_initializers_file_folder_path", weights.c_str());
  std::ifstream file(graph, std::ios::binary);
  const std::string model{std::istreambuf_iterator<char>(file), {}};
  Ort::Session session(env, model.data(), model.size(), options);

  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  std::vector<const char*> names;
  std::vector<Ort::Value> values;
  for (const GraphInput& input : InputsOf(tiled)) {
    names.push_back(input.name);
    values.push_back(input.Tensor(memory, const_cast<std::byte*>(input.bytes.data())));
  }
  const auto outputs = session.Run({}, names.data(), values.data(), values.size(), &graph::kLogits, 1);
  std::vector<float> logits;
  for (const uint32_t row : packed.score_row) logits.push_back(outputs.front().GetTensorData<float>()[row]);
  return logits;
}

std::vector<std::vector<int32_t>> ReadIds(std::istream& in) {
  std::vector<std::vector<int32_t>> ids;
  for (std::string line; std::getline(in, line);) {
    std::istringstream numbers(line);
    ids.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return ids;
}

bool Main(const std::string& command, int count, char** arguments) {
  if (command == "graph" && count == 3) {
    std::cout.precision(9);
    for (const float logit : Logits(arguments[0], arguments[1], arguments[2], ReadIds(std::cin)))
      std::cout << logit << '\n';
    return true;
  }
  Options options(count, arguments);
  const std::string type = options.Text("element", "fp16");
  if (type != "fp16" && type != "bf16") throw std::invalid_argument("--element is fp16 or bf16");
  const Element element = type == "fp16" ? Element::kFp16 : Element::kBf16;
  std::unique_ptr<Machine> machine;
  if (options.Has("gpu")) machine = std::make_unique<GpuMachine>();
  if (!machine) machine = std::make_unique<EmulatedMachine>();
  const std::string folder = command == "random" ? "" : options.Text("keep", "");
  if (!folder.empty()) machine = std::make_unique<KeepingMachine>(std::move(machine), folder);
  const auto seed = options.Read<uint64_t>("seed", 1);
  const auto number = [&](const char* name, int64_t otherwise) { return options.Read<int64_t>(name, otherwise); };
  if (command == "gated-units") {
    const GatedUnitsCase gated{element,
                               number("rows", 1),
                               number("columns", 10'000),
                               options.Read<float>("scale", 1),
                               options.Has("in-place"),
                               options.Has("merged"),
                               seed};
    options.RequireNone();
    return Report(*machine, gated);
  }
  if (command == "rotate-heads") {
    const RotateHeadsCase rotated{element,
                                  number("head-dim", 128),
                                  number("heads", 8),
                                  number("tokens", 50),
                                  !options.Has("no-norm"),
                                  options.Has("in-place"),
                                  number("first", 0),
                                  seed};
    options.RequireNone();
    return Report(*machine, rotated);
  }
  if (command == "attention") {
    AttentionCase attention;
    attention.element = element;
    attention.head_dim = number("head-dim", 128);
    attention.heads = number("heads", 8);
    attention.key_value_heads = number("key-value-heads", 2);
    attention.has_norm = !options.Has("no-norm");
    attention.shared = number("shared", 30);
    attention.lengths = options.List("lengths", {40, 100, 3});
    attention.is_padded = options.Has("padded");
    attention.only_last = options.Has("last");
    attention.sharpness = options.Read<double>("sharpness", 1);
    attention.first = number("first", 0);
    attention.seed = seed;
    options.RequireNone();
    return Report(*machine, attention);
  }
  if (command == "random") {
    const int64_t cases = number("cases", 20);
    options.RequireNone();
    return Random(*machine, cases, seed);
  }
  throw std::invalid_argument("unknown command " + command);
}

}  // namespace
}  // namespace zrank::cuda::test

int main(int count, char** arguments) {
  try {
    if (count > 1) return zrank::cuda::test::Main(arguments[1], count - 2, arguments + 2) ? 0 : 1;
    std::cerr << zrank::cuda::test::kUsage;
  } catch (const std::invalid_argument& exception) {
    std::cerr << exception.what() << "\n\n" << zrank::cuda::test::kUsage;
  } catch (const std::exception& exception) {
    std::cerr << exception.what() << '\n';
  }
  return 2;
}
