#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

// Runs a CUDA kernel's source on the CPU, a fiber a thread, one block after the other. Between two places where threads
// wait for each other they run one by one in an order that a seed decides. What a GPU does not promise is an error,
// whatever that order makes of it:
//   - an access outside the buffers that the kernel was given, or misaligned; a write to one that is only read
//   - in shared memory: reading what was never written or what is still being copied, and any two accesses of which one
//     writes, by different threads with no barrier between them
//   - in global memory: two threads of the grid at the same place of which one writes
//   - threads of a warp, or of a block, that wait for each other at different places

namespace zrank::cuda::emulation {

// The buffers that a kernel may touch.
class Memory {
 public:
  void AddInput(std::string name, const void* data, size_t bytes);
  // What the kernel writes; what it reads of it is what the reading thread has written, or was there before.
  void AddOutput(std::string name, void* data, size_t bytes);

  // Throws where a thread may not read, or write, there.
  void Check(const void* address, size_t bytes, size_t alignment, bool is_write, int64_t thread);
  // Bytes of the outputs that no thread has written.
  size_t Unwritten() const;

 private:
  struct Buffer {
    std::string name;
    size_t bytes;
    std::vector<int64_t> writers, readers;  // of every 2 bytes of an output; -1 for none
  };
  void Add(std::string name, const void* data, size_t bytes, bool is_output);

  std::map<uintptr_t, Buffer> buffers_;  // by address
};

struct Grid {
  int64_t blocks = 1;
  int threads = 32;  // of a block
  uint32_t shared_bytes = 0;
};

// Runs a kernel. Throws std::runtime_error at the first thing that a GPU does not promise. Where `memory` is null,
// global memory is not checked.
void Run(const Grid& grid, Memory* memory, uint64_t seed, const std::function<void()>& kernel);

// What emulated_device.h makes of the threads that run.

int Thread();
int64_t Block();
void CheckGlobal(const void* address, size_t bytes, size_t alignment, bool is_write);

// Memory of the block, for one access by this thread.
std::byte* Shared(uint32_t offset, size_t bytes, bool is_write);
// Copies when the thread waits for it; until then nobody may touch what is copied to. Zeros where `from` is null.
void CopyAsync(uint32_t offset, const void* from, size_t bytes);
void WaitForCopies();

void Barrier();
// What all lanes of a warp do together: the last to come computes it for all, from what each brought. Each access to
// shared memory in it is the lane's whose number is `lane`.
using Lanes = void* const (&)[32];
void Together(const char* what, void* brought, const std::function<void(Lanes)>& compute);
std::byte* SharedOf(int lane, uint32_t offset, size_t bytes);
// Orders the warp's accesses to shared memory; other collective operations do not.
void WarpBarrier();

}  // namespace zrank::cuda::emulation
