#include "kernels/ops/cuda_ops.h"

#include <array>
#include <deque>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

#include "core/contract.h"

namespace zrank {

namespace {

using cuda::Element;

struct InputKind {
  enum { kElement, kFloat, kIndex } type;
  bool is_optional = false;
};

void Require(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(what);
}

void* Output(const Ort::KernelContext& context, const std::vector<int64_t>& shape) {
  return context.GetOutput(0, shape).GetTensorMutableRawData();
}

// Columns of a matrix, whose rows lie `stride` elements apart.
struct Columns {
  const void* data;
  int64_t stride;
};

Columns ColumnsOf(const Tensor& matrix, int64_t first, int64_t count) {
  const int64_t stride = matrix.shape[1];
  Require(first >= 0 && first + count <= stride, "a matrix has no such columns");
  Require(stride == count || (first | stride) % cuda::kChunkElements == 0, "columns begin at no multiple of 16 bytes");
  return {static_cast<const uint16_t*>(matrix.data) + first, stride};
}

// What each kernel knows of its node.
class CudaKernel {
 public:
  CudaKernel(Element element, const CudaMachine& machine) : element_(element), machine_(machine) {}

 protected:
  template <typename Arguments, typename... Sizes>
  void Start(const Ort::KernelContext& context, const Arguments& arguments, Sizes... sizes) const {
    machine_.launcher.Start(LaunchOf(arguments, element_, sizes...), &arguments, context.GetGPUComputeStream());
  }

  const Element element_;
  const CudaMachine machine_;
};

class GatedUnitsKernel : public CudaKernel {
 public:
  static constexpr auto kName = op::kGatedUnits;
  static constexpr bool kIsInPlace = true;
  static constexpr std::array kInputs{InputKind{InputKind::kElement}, InputKind{InputKind::kElement}};

  GatedUnitsKernel(const OrtKernelInfo* info, Element element, const CudaMachine& machine)
      : CudaKernel(element, machine) {
    const Ort::ConstKernelInfo node(info);
    columns_ = node.GetAttribute<int64_t>(op::kColumns);
    first_ = node.GetAttributes<int64_t>(op::kFirst);
    scale_ = node.GetAttribute<float>(op::kScale);
  }

  void Compute(const Ort::KernelContext& context) const {
    const Tensor gate = Input(context, 0), up = Input(context, 1);
    Require(gate.shape == up.shape, "gate and up do not fit each other");
    const auto [gates, stride] = ColumnsOf(gate, first_.at(0), columns_);
    const Columns ups = ColumnsOf(up, first_.at(1), columns_);
    const int64_t rows = gate.shape[0];
    cuda::GatedUnitsArguments arguments{gates,  ups.data, Output(context, {rows, columns_}), rows, columns_,
                                        stride, scale_};
    // Rows without gaps are one, of any width.
    if (stride == columns_) arguments.columns *= std::exchange(arguments.rows, 1);
    Start(context, arguments);
  }

 private:
  int64_t columns_;
  std::vector<int64_t> first_;
  float scale_;
};

class RotateHeadsKernel : public CudaKernel {
 public:
  static constexpr auto kName = op::kRotateHeads;
  static constexpr bool kIsInPlace = true;
  static constexpr std::array kInputs{InputKind{InputKind::kElement}, InputKind{InputKind::kElement, true},
                                      InputKind{InputKind::kFloat}, InputKind{InputKind::kFloat},
                                      InputKind{InputKind::kIndex}};

  RotateHeadsKernel(const OrtKernelInfo* info, Element element, const CudaMachine& machine)
      : CudaKernel(element, machine) {
    const Ort::ConstKernelInfo node(info);
    heads_ = node.GetAttribute<int64_t>(op::kHeads);
    first_ = node.GetAttributes<int64_t>(op::kFirst);
    epsilon_ = node.GetAttribute<float>(op::kEpsilon);
  }

  void Compute(const Ort::KernelContext& context) const {
    enum { kX, kNorm, kCos, kSin, kPositions };
    const Tensor x = Input(context, kX), norm = Input(context, kNorm), cos = Input(context, kCos),
                 sin = Input(context, kSin), positions = Input(context, kPositions);
    const int64_t tokens = x.shape[0], head_dim = 2 * cos.shape[1], width = heads_ * head_dim;
    Require(cuda::HasKernels(head_dim, heads_, heads_), "there are no such heads");
    Require(positions.shape[1] == tokens, "positions do not fit the rows");
    Require(norm.data == nullptr || norm.shape[1] == head_dim, "the norm does not fit the heads");
    Require(sin.shape == cos.shape, "the tables do not fit each other");
    const auto [heads, stride] = ColumnsOf(x, first_.at(0), width);
    const cuda::RotateHeadsArguments arguments{heads,
                                               norm.data,
                                               cos.floats(),
                                               sin.floats(),
                                               static_cast<const int32_t*>(positions.data),
                                               Output(context, {tokens, width}),
                                               tokens * heads_,
                                               stride,
                                               static_cast<int32_t>(heads_),
                                               epsilon_};
    Start(context, arguments, head_dim);
  }

 private:
  int64_t heads_;
  std::vector<int64_t> first_;
  float epsilon_;
};

class TiledAttentionKernel : public CudaKernel {
 public:
  static constexpr auto kName = op::kTiledAttention;
  static constexpr bool kIsInPlace = false;
  static constexpr std::array kInputs{InputKind{InputKind::kElement}, InputKind{InputKind::kElement},
                                      InputKind{InputKind::kElement}, InputKind{InputKind::kElement, true},
                                      InputKind{InputKind::kFloat},   InputKind{InputKind::kFloat},
                                      InputKind{InputKind::kIndex},   InputKind{InputKind::kIndex}};

  TiledAttentionKernel(const OrtKernelInfo* info, Element element, const CudaMachine& machine)
      : CudaKernel(element, machine) {
    const Ort::ConstKernelInfo node(info);
    heads_ = node.GetAttribute<int64_t>(op::kHeads);
    key_value_heads_ = node.GetAttribute<int64_t>(op::kKeyValueHeads);
    first_ = node.GetAttributes<int64_t>(op::kFirst);
    epsilon_ = node.GetAttribute<float>(op::kEpsilon);
  }

  void Compute(const Ort::KernelContext& context) const {
    enum { kQ, kK, kV, kQNorm, kCos, kSin, kExpand, kTiles };
    const Tensor q = Input(context, kQ), k = Input(context, kK), v = Input(context, kV), norm = Input(context, kQNorm),
                 cos = Input(context, kCos), sin = Input(context, kSin), expand = Input(context, kExpand),
                 tiles = Input(context, kTiles);
    const int64_t head_dim = 2 * cos.shape[1], width = heads_ * head_dim, key_width = key_value_heads_ * head_dim;
    Require(cuda::HasKernels(head_dim, heads_, key_value_heads_), "there are no such heads");
    Require(k.shape[1] == key_width && v.shape[0] == k.shape[0], "keys and values do not fit the queries");
    Require(norm.data == nullptr || norm.shape[1] == head_dim, "the norm does not fit the heads");
    Require(cos.shape[0] >= expand.shape[1] && sin.shape == cos.shape, "the tables do not fit the sequences");
    Require(tiles.shape[1] == sizeof(cuda::Tile) / sizeof(int32_t), "tiles are four numbers each");
    const Columns queries = ColumnsOf(q, first_.at(0), width), values = ColumnsOf(v, first_.at(1), key_width);
    const cuda::AttentionArguments arguments{queries.data,
                                             k.data,
                                             values.data,
                                             norm.data,
                                             cos.floats(),
                                             sin.floats(),
                                             static_cast<const int32_t*>(expand.data),
                                             static_cast<const cuda::Tile*>(tiles.data),
                                             Output(context, {q.shape[0], width}),
                                             static_cast<int32_t>(expand.shape[1]),
                                             static_cast<int32_t>(queries.stride),
                                             static_cast<int32_t>(values.stride),
                                             static_cast<int32_t>(heads_),
                                             static_cast<int32_t>(key_value_heads_),
                                             epsilon_};
    Start(context, arguments, head_dim, tiles.shape[0]);
  }

 private:
  int64_t heads_, key_value_heads_;
  std::vector<int64_t> first_;
  float epsilon_;
};

// Memory of the device that the input lies on, for the time of one call: what takes it afterwards is behind it on the
// stream.
class DeviceScratch {
 public:
  DeviceScratch(const Ort::KernelContext& context, size_t bytes)
      : allocator_(context.GetAllocator(*context.GetInput(0).GetTensorMemoryInfo())),
        memory_(allocator_->Alloc(allocator_.get(), bytes + kAlignment)) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  ~DeviceScratch() { allocator_->Free(allocator_.get(), memory_); }
  DeviceScratch(const DeviceScratch&) = delete;
  DeviceScratch& operator=(const DeviceScratch&) = delete;

  void* data() const {
    return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(memory_) + kAlignment - 1) / kAlignment * kAlignment);
  }

 private:
  static constexpr size_t kAlignment = 256;
  struct Release {
    void operator()(OrtAllocator* allocator) const { Ort::GetApi().ReleaseAllocator(allocator); }
  };
  const std::unique_ptr<OrtAllocator, Release> allocator_;
  void* const memory_;
};

class TunedMatMulKernel : public CudaKernel {
 public:
  static constexpr auto kName = op::kTunedMatMul;
  static constexpr bool kIsInPlace = false;
  static constexpr std::array kInputs{InputKind{InputKind::kElement}, InputKind{InputKind::kElement}};

  TunedMatMulKernel(const OrtKernelInfo* info, Element element, const CudaMachine& machine)
      : CudaKernel(element, machine), alpha_(Ort::ConstKernelInfo(info).GetAttribute<float>(op::kAlpha)) {}

  void Compute(const Ort::KernelContext& context) const {
    const Tensor x = Input(context, 0), w = Input(context, 1);
    const int64_t rows = x.shape[0], columns = w.shape[0], depth = w.shape[1];
    Require(x.shape[1] == depth, "the rows do not fit the weight");
    void* const y = Output(context, {rows, columns});
    std::deque<DeviceScratch> scratch;
    machine_.multiplier.Multiply(
        {element_, x.data, w.data, y, rows, columns, depth, alpha_},
        [&](size_t bytes) { return scratch.emplace_back(context, bytes).data(); }, context.GetGPUComputeStream());
  }

 private:
  const float alpha_;
};

// A kernel with the functions that CustomOpBase calls.
template <typename Kernel>
struct Guarding : Kernel {
  using Kernel::Kernel;
  OrtStatusPtr ComputeV2(OrtKernelContext* context) {
    return Guarded([&] { this->Compute(Ort::KernelContext(context)); });
  }
};

template <typename Kernel>
struct CudaOp : Ort::CustomOpBase<CudaOp<Kernel>, Guarding<Kernel>, true> {
  CudaOp(Element element, const CudaMachine& machine, const char* provider)
      : element(element), machine(machine), provider(provider) {
    if constexpr (Kernel::kIsInPlace) {
      // The output may take the place of the first input, where nobody else needs that.
      this->GetMayInplace = [](int** inputs, int** outputs) -> size_t {
        *inputs = new int[1]{0};
        *outputs = new int[1]{0};
        return 1;
      };
      this->ReleaseMayInplace = [](int* inputs, int* outputs) {
        delete[] inputs;
        delete[] outputs;
      };
    }
  }

  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return Guarded([&] { *kernel = new Guarding<Kernel>(info, element, machine); });
  }
  const char* GetName() const { return Kernel::kName; }
  const char* GetExecutionProviderType() const { return provider; }
  size_t GetInputTypeCount() const { return Kernel::kInputs.size(); }
  ONNXTensorElementDataType GetInputType(size_t i) const {
    switch (Kernel::kInputs[i].type) {
      case InputKind::kFloat:
        return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
      case InputKind::kIndex:
        return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
      default:
        return GetOutputType(0);
    }
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t i) const {
    return Kernel::kInputs[i].is_optional ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const {
    return element == Element::kFp16 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 : ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
  }

  const Element element;
  const CudaMachine machine;
  const char* const provider;
};

}  // namespace

void AddCudaOps(Ort::CustomOpDomain& domain, const CudaMachine& machine, const char* provider) {
  for (const Element element : {Element::kFp16, Element::kBf16}) {
    domain.Add(new CudaOp<GatedUnitsKernel>(element, machine, provider));
    domain.Add(new CudaOp<RotateHeadsKernel>(element, machine, provider));
    domain.Add(new CudaOp<TiledAttentionKernel>(element, machine, provider));
    domain.Add(new CudaOp<TunedMatMulKernel>(element, machine, provider));
  }
}

}  // namespace zrank
