// The real CublasLt on a cuBLASLt and a driver that are doubles (stub_cublas_lt.cc): products in the host's memory, by
// a clock that the test sets.

#include "kernels/cuda/cublas_lt.h"

#include <cstring>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/shared_library.h"
#include "test/check.h"
#include "test/cuda/sixteen_bits.h"
#include "test/cuda/stub_cublas_lt.h"

namespace zrank::cuda {
namespace {

using test::StubCublasLt;

float Widened(Element element, uint16_t bits) {
  return element == Element::kFp16 ? emulation::FloatFromHalf(bits) : emulation::FloatFromBrain(bits);
}
uint16_t Rounded(Element element, float value) {
  return element == Element::kFp16 ? emulation::HalfFromFloat(value) : emulation::BrainFromFloat(value);
}

// One library for all tests, its state set back for each.
StubCublasLt& Stub() {
  const SharedLibrary library(ZRANK_STUB_CUDA, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  StubCublasLt& stub = *library.Find<StubCublasLt*()>("zrank_stub_cublas_lt", ErrorCode::kDeviceUnavailable)();
  const int descriptors = stub.descriptors;
  stub = {};
  stub.descriptors = descriptors;
  return stub;
}

class Workspace {
 public:
  size_t most = 0;
  Multiplier::Workspace Give() {
    return [this](size_t bytes) {
      most = std::max(most, bytes);
      blocks_.emplace_back(::operator new(bytes, std::align_val_t(256)));
      return blocks_.back().get();
    };
  }

 private:
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, std::align_val_t(256)); }
  };
  std::vector<std::unique_ptr<void, Free>> blocks_;
};

struct Case {
  Element element = Element::kFp16;
  int64_t rows = 5, columns = 24, depth = 16;
  float alpha = 1;
};

struct Matrices {
  std::vector<uint16_t> x, w, y;
  Product product;

  explicit Matrices(const Case& given) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<uint16_t>& numbers, int64_t count) {
      for (int64_t i = 0; i < count + 8; ++i) numbers.push_back(Rounded(given.element, normal(random)));
    };
    fill(x, given.rows * given.depth);
    fill(w, given.columns * given.depth);
    y.assign(static_cast<size_t>(given.rows * given.columns + 16), 0xffff);
    product = {given.element, Aligned(x), Aligned(w), Aligned(y), given.rows, given.columns, given.depth, given.alpha};
  }
  static uint16_t* Aligned(std::vector<uint16_t>& numbers) {
    return reinterpret_cast<uint16_t*>((reinterpret_cast<uintptr_t>(numbers.data()) + 15) / 16 * 16);
  }

  // The largest deviation from sums in double precision.
  double Error() const {
    const auto& [element, x, w, y, rows, columns, depth, alpha] = product;
    const auto read = [&](const void* matrix, int64_t at) {
      return static_cast<double>(Widened(element, static_cast<const uint16_t*>(matrix)[at]));
    };
    double worst = 0;
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k) sum += read(x, row * depth + k) * read(w, column * depth + k);
        const double error = std::abs(read(y, row * columns + column) - alpha * sum);
        if (!(error <= worst)) worst = error;
      }
    }
    return worst;
  }
  // Elements outside of the output that were written.
  int64_t Strays() const {
    int64_t written = 0;
    for (const uint16_t bits : y) written += bits != 0xffff;
    return written - product.rows * product.columns;
  }
};

std::string Failure(CublasLt& multiplier, const Product& product) {
  Workspace workspace;
  try {
    multiplier.Multiply(product, workspace.Give(), nullptr);
  } catch (const std::exception& exception) {
    return exception.what();
  }
  return "";
}

TEST(products_are_those_of_rows_and_transposed_weights) {
  StubCublasLt& stub = Stub();
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  for (const Element element : {Element::kFp16, Element::kBf16}) {
    for (const float alpha : {1.0f, 0.03125f}) {
      Matrices matrices({.element = element, .alpha = alpha});
      CHECK_EQ(Failure(multiplier, matrices.product), "");
      CHECK(matrices.Error() < (element == Element::kFp16 ? 0.01 : 0.1) * alpha);
      CHECK_EQ(matrices.Strays(), 0);
    }
  }
  CHECK_EQ(stub.created, 1);
}

TEST(descriptors_are_kept_with_the_shape_and_destroyed_with_its_last_user) {
  StubCublasLt& stub = Stub();
  {
    CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
    for (const int64_t rows : {1, 1, 1, 2, 2, 1}) {
      Matrices matrices({.rows = rows});
      CHECK_EQ(Failure(multiplier, matrices.product), "");
    }
    // A product and three matrices for each of two shapes.
    CHECK_EQ(stub.made, 2 * 4 + 2);
    CHECK_EQ(stub.descriptors, 2 * 4);
  }
  CHECK_EQ(stub.descriptors, 0);
}

TEST(the_fastest_candidate_of_a_large_shape_is_found_once) {
  StubCublasLt& stub = Stub();
  stub.milliseconds[3] = 0.5f;
  stub.milliseconds[5] = 0.25f;
  stub.failures[5] = 15;
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  Matrices matrices({.rows = CublasLt::kTimedRows, .columns = 8, .depth = 8});
  for (int run = 0; run < 3; ++run) {
    CHECK_EQ(Failure(multiplier, matrices.product), "");
    CHECK_EQ(stub.last, 3);
  }
  CHECK(matrices.Error() < 0.01);
  CHECK_EQ(stub.asked, 1);
  // Seven of eight twice, then three times the fastest.
  CHECK_EQ(stub.products, 14 + 3);
}

TEST(a_small_shape_takes_the_first_candidate_and_its_workspace) {
  StubCublasLt& stub = Stub();
  stub.milliseconds[3] = 0.5f;
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  Matrices matrices({.rows = CublasLt::kTimedRows - 1, .columns = 8, .depth = 8});
  Workspace workspace;
  multiplier.Multiply(matrices.product, workspace.Give(), nullptr);
  CHECK_EQ(stub.last, 0);
  CHECK_EQ(stub.products, 1);
  CHECK_EQ(workspace.most, size_t{1} << 20);
}

TEST(each_shape_has_a_plan_of_its_own_and_the_oldest_is_forgotten) {
  StubCublasLt& stub = Stub();
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  const auto multiply = [&](int64_t rows, int64_t columns) {
    Matrices matrices({.rows = rows, .columns = columns, .depth = 8});
    CHECK_EQ(Failure(multiplier, matrices.product), "");
  };
  const auto shapes = static_cast<int>(CublasLt::kShapes);
  for (int64_t rows = 1; rows <= shapes; ++rows) multiply(rows, 8);
  CHECK_EQ(stub.asked, shapes);
  multiply(1, 8);
  CHECK_EQ(stub.asked, shapes);
  multiply(1, 16);  // another shape, and the first one's place
  multiply(2, 8);
  CHECK_EQ(stub.asked, shapes + 1);
  multiply(1, 8);
  CHECK_EQ(stub.asked, shapes + 2);
  CHECK_EQ(stub.descriptors, 4 * shapes);
}

TEST(a_plan_that_is_forgotten_while_it_is_in_use_lasts) {
  StubCublasLt& stub = Stub();
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  Matrices matrices({});
  Workspace workspace;
  const auto forget = [&](size_t bytes) {
    for (int64_t rows = 1; rows <= static_cast<int64_t>(CublasLt::kShapes); ++rows) {
      Matrices other({.rows = rows, .columns = 8, .depth = 8});
      CHECK_EQ(Failure(multiplier, other.product), "");
    }
    CHECK_EQ(stub.descriptors, 4 * (static_cast<int>(CublasLt::kShapes) + 1));
    return workspace.Give()(bytes);
  };
  multiplier.Multiply(matrices.product, forget, nullptr);
  CHECK(matrices.Error() < 0.01);
  CHECK_EQ(stub.descriptors, 4 * static_cast<int>(CublasLt::kShapes));
}

TEST(what_cublas_refuses_is_said_by_its_name) {
  StubCublasLt& stub = Stub();
  Matrices matrices({});
  const auto fail = [&] {
    CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
    return Failure(multiplier, matrices.product);
  };
  stub.failures[0] = 13;
  CHECK_EQ(fail(), "cuBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; in cublasLtMatmul");
  stub.failures[0] = 3;
  CHECK(Classify(std::runtime_error(fail()), ErrorCode::kRunFailed).code() == ErrorCode::kDeviceOutOfMemory);
  stub.failures[0] = 0;
  stub.candidates = 0;
  CHECK_EQ(fail(), "cuBLAS failure 15: CUBLAS_STATUS_NOT_SUPPORTED ; in cublasLtMatmulAlgoGetHeuristic");
  stub.creating = 3;
  CHECK_EQ(fail(), "cuBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; in cublasLtCreate");
  CHECK_EQ(stub.descriptors, 0);
  stub = {};
  // Of a large shape, whose candidates all fail.
  Matrices large({.rows = CublasLt::kTimedRows, .columns = 8, .depth = 8});
  for (int& status : stub.failures) status = 13;
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  CHECK_EQ(Failure(multiplier, large.product), "cuBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; in cublasLtMatmul");
  for (int& status : stub.failures) status = 0;
  CHECK_EQ(Failure(multiplier, large.product), "");
}

TEST(without_the_library_or_alignment_there_is_no_product) {
  Matrices matrices({});
  CublasLt none({"libno-such-cublas.so"}, ZRANK_STUB_CUDA);
  CHECK(Failure(none, matrices.product).find("libno-such-cublas.so") != std::string::npos);
  CublasLt multiplier({ZRANK_STUB_CUDA}, ZRANK_STUB_CUDA);
  matrices.product.x = static_cast<const uint16_t*>(matrices.product.x) + 1;
  CHECK_EQ(Failure(multiplier, matrices.product), "a matrix does not begin at a multiple of 16 bytes");
}

}  // namespace
}  // namespace zrank::cuda
