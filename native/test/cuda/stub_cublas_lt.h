#pragma once

namespace zrank::cuda::test {

// What the tests ask of the double of cuBLASLt (stub_cublas_lt.cc), and what it has seen.
struct StubCublasLt {
  static constexpr int kCandidates = 8;
  int candidates = kCandidates;                                // that the heuristics find
  float milliseconds[kCandidates] = {1, 1, 1, 1, 1, 1, 1, 1};  // that a product takes by each
  int failures[kCandidates] = {};                              // statuses of products by each
  int creating = 0, heuristic = 0;                             // statuses

  int created = 0, asked = 0;  // handles; heuristics
  int products = 0;
  int last = -1;        // the candidate of the last product
  float clock = 0;      // milliseconds that all products took together
  int made = 0;         // descriptors of all kinds
  int descriptors = 0;  // of them those that have not been destroyed
};

}  // namespace zrank::cuda::test
