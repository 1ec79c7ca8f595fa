// Stands in for libcublasLt.so where there is no GPU: multiplies in fp32 in the host's memory, and refuses what the
// real one refuses of types, shapes, strides, alignments and workspaces. With it the events of CUDA that it is timed
// by.

#include "test/cuda/stub_cublas_lt.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "test/cuda/sixteen_bits.h"

#define ZRANK_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

namespace emulation = zrank::cuda::emulation;

// cublasStatus_t, and of the other enumerations what zrank uses, by the names and values of cublasLt.h.
enum { kSuccess = 0, kInvalidValue = 7, kNotSupported = 15 };
enum { kReal32 = 0, kReal16 = 2, kBrain16 = 14, kCompute32 = 68 };
constexpr size_t Workspace(int candidate) { return static_cast<size_t>(candidate + 1) << 20; }

zrank::cuda::test::StubCublasLt state;

struct Handle {
  int kind = 1;
};
struct Desc {
  int kind = 2;
  int32_t trans_a = 0;
};
struct Layout {
  int kind = 3, type = 0;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;

  bool operator==(const Layout&) const = default;
};
struct Preference {
  int kind = 4;
  uint64_t workspace = 0;
  uint32_t alignments[4] = {256, 256, 256, 256};
};
struct Heuristic {
  uint64_t algorithm[8];
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};

template <typename Object>
Object* As(const void* pointer) {
  auto* object = static_cast<Object*>(const_cast<void*>(pointer));
  return object != nullptr && object->kind == Object().kind ? object : nullptr;
}
template <typename Object>
int Create(void** pointer, Object object) {
  ++state.made;
  ++state.descriptors;
  return *pointer = new Object(object), kSuccess;
}
template <typename Object>
int Destroy(void* pointer) {
  if (As<Object>(pointer) == nullptr) return kInvalidValue;
  --state.descriptors;
  return delete As<Object>(pointer), kSuccess;
}
template <typename Value>
int Set(Value& to, const void* from, size_t bytes) {
  if (bytes != sizeof(Value)) return kInvalidValue;
  return std::memcpy(&to, from, bytes), kSuccess;
}

bool IsAligned(const void* address, uint32_t bytes) { return reinterpret_cast<uintptr_t>(address) % bytes == 0; }

// D [m, n] = op(A) op(B), where op(A) is [m, k] and op(B) [k, n].
bool Fits(const Desc& desc, const Layout& a, const Layout& b, const Layout& d) {
  const auto [m, k] = desc.trans_a == 1 ? std::pair(a.columns, a.rows) : std::pair(a.rows, a.columns);
  for (const Layout* layout : {&a, &b, &d}) {
    if (layout->type != a.type || (a.type != kReal16 && a.type != kBrain16) ||
        layout->leading < static_cast<int64_t>(layout->rows))
      return false;
  }
  return b.rows == k && d.rows == m && d.columns == b.columns;
}

float Read(const Layout& layout, const void* data, uint64_t row, uint64_t column) {
  const auto at = static_cast<int64_t>(row) + static_cast<int64_t>(column) * layout.leading;
  const uint16_t bits = static_cast<const uint16_t*>(data)[at];
  return layout.type == kReal16 ? emulation::FloatFromHalf(bits) : emulation::FloatFromBrain(bits);
}

}  // namespace

ZRANK_EXPORT zrank::cuda::test::StubCublasLt* zrank_stub_cublas_lt() { return &state; }

ZRANK_EXPORT int cublasLtCreate(void** handle) {
  if (state.creating != kSuccess) return state.creating;
  ++state.created;
  static Handle the_handle;
  return *handle = &the_handle, kSuccess;
}
ZRANK_EXPORT const char* cublasLtGetStatusName(int status) {
  switch (status) {
    case 3:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case kInvalidValue:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case 13:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
}
ZRANK_EXPORT int cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
  return compute == kCompute32 && scale == kReal32 ? Create(desc, Desc()) : kInvalidValue;
}
ZRANK_EXPORT int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, size_t bytes) {
  return attribute == 3 && As<Desc>(desc) ? Set(As<Desc>(desc)->trans_a, value, bytes) : kInvalidValue;
}
ZRANK_EXPORT int cublasLtMatmulDescDestroy(void* desc) { return Destroy<Desc>(desc); }
ZRANK_EXPORT int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  Layout made;
  made.type = type;
  made.rows = rows;
  made.columns = columns;
  made.leading = leading;
  return Create(layout, made);
}
ZRANK_EXPORT int cublasLtMatrixLayoutDestroy(void* layout) { return Destroy<Layout>(layout); }
ZRANK_EXPORT int cublasLtMatmulPreferenceCreate(void** preference) { return Create(preference, Preference()); }
ZRANK_EXPORT int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value,
                                                      size_t bytes) {
  Preference* const to = As<Preference>(preference);
  if (to == nullptr) return kInvalidValue;
  if (attribute == 1) return Set(to->workspace, value, bytes);
  return attribute >= 5 && attribute <= 8 ? Set(to->alignments[attribute - 5], value, bytes) : kInvalidValue;
}
ZRANK_EXPORT int cublasLtMatmulPreferenceDestroy(void* preference) { return Destroy<Preference>(preference); }

// Candidate i takes i + 1 MiB of workspace. As the real one, it finds nothing for alignments that are not promised.
ZRANK_EXPORT int cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* a, void* b, void* c, void* d,
                                                void* preference, int asked, Heuristic* found, int* count) {
  const Preference* const wish = As<Preference>(preference);
  if (!As<Handle>(handle) || !As<Desc>(desc) || !As<Layout>(a) || !As<Layout>(b) || !As<Layout>(c) || !wish ||
      !As<Layout>(d) || !Fits(*As<Desc>(desc), *As<Layout>(a), *As<Layout>(b), *As<Layout>(d)) ||
      *As<Layout>(c) != *As<Layout>(d))
    return kInvalidValue;
  ++state.asked;
  if (state.heuristic != kSuccess) return state.heuristic;
  *count = 0;
  for (const uint32_t alignment : wish->alignments)
    if (alignment != 16) return kNotSupported;
  for (int i = 0; i < state.candidates && *count < asked; ++i) {
    if (Workspace(i) > wish->workspace) continue;
    found[*count] = Heuristic{};
    found[*count].algorithm[7] = static_cast<uint64_t>(i) + 1;
    found[(*count)++].workspace = Workspace(i);
  }
  return *count > 0 ? kSuccess : kNotSupported;
}

ZRANK_EXPORT int cublasLtMatmul(void* handle, void* desc, const float* alpha, const void* a, void* a_layout,
                                const void* b, void* b_layout, const float* beta, const void* c, void* c_layout,
                                void* d, void* d_layout, const uint64_t* algorithm, void* workspace, size_t bytes,
                                void*) {
  const Desc* const how = As<Desc>(desc);
  const Layout *const la = As<Layout>(a_layout), *const lb = As<Layout>(b_layout), *const ld = As<Layout>(d_layout);
  if (!As<Handle>(handle) || !how || !la || !lb || !ld || !Fits(*how, *la, *lb, *ld) || *beta != 0 || c != d ||
      !As<Layout>(c_layout) || *As<Layout>(c_layout) != *ld)
    return kInvalidValue;
  for (const void* address : {a, b, static_cast<const void*>(d)})
    if (address == nullptr || !IsAligned(address, 16)) return kInvalidValue;
  const int candidate = static_cast<int>(algorithm[7]) - 1;
  if (candidate < 0 || bytes < Workspace(candidate) || workspace == nullptr || !IsAligned(workspace, 256))
    return kInvalidValue;
  if (state.failures[candidate] != kSuccess) return state.failures[candidate];
  std::memset(workspace, 0xff, Workspace(candidate));
  ++state.products;
  state.last = candidate;
  state.clock += state.milliseconds[candidate];
  const uint64_t depth = how->trans_a == 1 ? la->rows : la->columns;
  for (uint64_t column = 0; column < ld->columns; ++column) {
    for (uint64_t row = 0; row < ld->rows; ++row) {
      float sum = 0;
      for (uint64_t i = 0; i < depth; ++i) {
        const float left = how->trans_a == 1 ? Read(*la, a, i, row) : Read(*la, a, row, i);
        sum += left * Read(*lb, b, i, column);
      }
      const auto at = static_cast<int64_t>(row) + static_cast<int64_t>(column) * ld->leading;
      static_cast<uint16_t*>(d)[at] =
          ld->type == kReal16 ? emulation::HalfFromFloat(*alpha * sum) : emulation::BrainFromFloat(*alpha * sum);
    }
  }
  return kSuccess;
}

// An event is the time at which it was recorded, by the products' clock.
ZRANK_EXPORT int cuEventCreate(void** event, unsigned) { return *event = new float(-1), 0; }
ZRANK_EXPORT int cuEventDestroy_v2(void* event) { return delete static_cast<float*>(event), 0; }
ZRANK_EXPORT int cuEventRecord(void* event, void*) { return *static_cast<float*>(event) = state.clock, 0; }
ZRANK_EXPORT int cuEventSynchronize(void* event) { return *static_cast<float*>(event) < 0 ? 400 : 0; }
ZRANK_EXPORT int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  return *milliseconds = *static_cast<float*>(to) - *static_cast<float*>(from), 0;
}
