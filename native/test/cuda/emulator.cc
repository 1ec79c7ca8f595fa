#include "test/cuda/emulator.h"

#include <ucontext.h>

#include <cstring>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace zrank::cuda::emulation {

namespace {

constexpr size_t kStackBytes = 256 * 1024;
constexpr int kWarp = 32;
constexpr size_t kWord = 4;

template <typename... Parts>
[[noreturn]] void Fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw std::runtime_error(text.str());
}

// When a thread touched a word of shared memory: after so many barriers of the block and of its warp.
struct Moment {
  int thread = -1;
  int64_t block_barriers = 0, warp_barriers = 0;

  // Whether it lies before a later moment, as far as threads can know.
  bool IsBefore(const Moment& now) const {
    if (thread < 0 || thread == now.thread || block_barriers < now.block_barriers) return true;
    return thread / kWarp == now.thread / kWarp && warp_barriers < now.warp_barriers;
  }
};

struct Word {
  bool is_written = false, is_copied_to = false;
  Moment written;
  std::vector<Moment> read;  // since the last barrier, one a thread
};

struct Copy {
  uint32_t offset;
  const void* from;
  size_t bytes;
};

enum class Waiting { kNot, kForBlock, kForWarp, kDone };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<std::byte[]> stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  Waiting waiting = Waiting::kNot;
  std::vector<Copy> copies;
};

struct Warp {
  int arrived = 0;
  const char* what = nullptr;
  void* brought[kWarp] = {};
  int64_t barriers = 0;
};

class Emulator {
 public:
  Emulator(const Grid& grid, Memory* memory, uint64_t seed, const std::function<void()>& kernel)
      : grid_(grid), memory_(memory), random_(seed), kernel_(kernel), fibers_(static_cast<size_t>(grid.threads)) {
    if (grid.threads <= 0 || grid.threads % kWarp != 0) Fail("a block of ", grid.threads, " threads");
  }

  void RunBlock(int64_t block) {
    block_ = block;
    // Neither fp16 nor bf16 has a number of these bits.
    shared_.assign(grid_.shared_bytes, std::byte{0xff});
    words_.assign(grid_.shared_bytes / kWord, {});
    warps_.assign(fibers_.size() / kWarp, {});
    barriers_ = 0;
    in_block_ = 0;
    ready_.clear();
    for (size_t i = 0; i < fibers_.size(); ++i) {
      Fiber& fiber = fibers_[i];
      fiber.waiting = Waiting::kNot;
      fiber.copies.clear();
      getcontext(&fiber.context);
      fiber.context.uc_stack = {fiber.stack.get(), 0, kStackBytes};
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, &Emulator::Enter, 0);
      ready_.push_back(static_cast<int>(i));
    }
    done_ = 0;
    Next(&main_);
    if (!error_.empty()) Fail("block ", block_, ", thread ", thread_, ": ", error_);
  }

  int thread() const { return thread_; }
  int64_t block() const { return block_; }
  int64_t global_thread() const { return block_ * grid_.threads + thread_; }
  Memory* memory() { return memory_; }

  std::byte* Touch(int thread, uint32_t offset, size_t bytes, bool is_write) {
    if (offset % bytes != 0 || offset + bytes > shared_.size())
      Fail(bytes, " bytes of shared memory at ", offset, " of ", shared_.size());
    const Moment now{thread, barriers_, warps_[thread / kWarp].barriers};
    for (size_t i = offset / kWord; i < (offset + bytes) / kWord; ++i) {
      Word& word = words_[i];
      if (word.is_copied_to) Fail("shared memory at ", i * kWord, " is still being copied to");
      if (!word.written.IsBefore(now)) Race(i, word.written.thread);
      if (!is_write && !word.is_written) Fail("shared memory at ", i * kWord, " was never written");
      if (is_write) {
        for (const Moment& read : word.read)
          if (!read.IsBefore(now)) Race(i, read.thread);
        word.read.clear();
        word.written = now;
        word.is_written = true;
      } else {
        std::erase_if(word.read, [&](const Moment& read) { return read.block_barriers < now.block_barriers; });
        bool is_known = false;
        for (Moment& read : word.read) {
          if (read.thread == thread) read = now, is_known = true;
        }
        if (!is_known) word.read.push_back(now);
      }
    }
    return shared_.data() + offset;
  }

  void CopyAsync(const Copy& copy) {
    Touch(thread_, copy.offset, copy.bytes, true);
    SetCopied(copy, true);
    fibers_[thread_].copies.push_back(copy);
  }

  void WaitForCopies() {
    for (const Copy& copy : fibers_[thread_].copies) {
      SetCopied(copy, false);
      std::byte* to = Touch(thread_, copy.offset, copy.bytes, true);
      if (copy.from == nullptr) {
        std::memset(to, 0, copy.bytes);
      } else {
        std::memcpy(to, copy.from, copy.bytes);
      }
    }
    fibers_[thread_].copies.clear();
  }

  void Barrier() {
    if (++in_block_ < grid_.threads) return Wait(Waiting::kForBlock);
    in_block_ = 0;
    ++barriers_;
    for (size_t i = 0; i < fibers_.size(); ++i) Wake(static_cast<int>(i), Waiting::kForBlock);
  }

  void Together(const char* what, void* brought, const std::function<void(Lanes)>& compute, bool is_barrier) {
    const int first = thread_ / kWarp * kWarp;
    Warp& warp = warps_[thread_ / kWarp];
    if (warp.arrived == 0) warp.what = what;
    if (std::strcmp(warp.what, what) != 0) Fail("lanes part: some wait at ", warp.what, ", one at ", what);
    warp.brought[thread_ % kWarp] = brought;
    if (++warp.arrived < kWarp) return Wait(Waiting::kForWarp);
    warp.arrived = 0;
    if (compute) compute(warp.brought);
    if (is_barrier) ++warp.barriers;
    for (int lane = 0; lane < kWarp; ++lane) Wake(first + lane, Waiting::kForWarp);
  }

 private:
  static void Enter();

  [[noreturn]] void Race(size_t word, int other) const {
    Fail("shared memory at ", word * kWord, " is touched by thread ", other, " with no barrier between");
  }

  void SetCopied(const Copy& copy, bool is_copied_to) {
    for (size_t i = copy.offset / kWord; i < (copy.offset + copy.bytes) / kWord; ++i)
      words_[i].is_copied_to = is_copied_to;
  }

  void Wake(int thread, Waiting reason) {
    if (thread == thread_ || fibers_[thread].waiting != reason) return;
    fibers_[thread].waiting = Waiting::kNot;
    ready_.push_back(thread);
  }

  void Wait(Waiting reason) {
    fibers_[thread_].waiting = reason;
    const int thread = thread_;
    Next(&fibers_[thread].context);
  }

  // Goes on with any thread that can, or where there is none, back to RunBlock.
  void Next(ucontext_t* from) {
    if (ready_.empty()) {
      if (done_ < grid_.threads) error_ = "threads wait for others that have ended or wait elsewhere";
      swapcontext(from, &main_);
      return;
    }
    const size_t pick = random_() % ready_.size();
    thread_ = std::exchange(ready_[pick], ready_.back());
    ready_.pop_back();
    swapcontext(from, &fibers_[thread_].context);
  }

  const Grid grid_;
  Memory* const memory_;
  std::minstd_rand random_;
  const std::function<void()>& kernel_;
  std::vector<Fiber> fibers_;
  std::vector<std::byte> shared_;
  std::vector<Word> words_;
  std::vector<Warp> warps_;
  std::vector<int> ready_;
  ucontext_t main_;
  int64_t block_ = 0, barriers_ = 0;
  int thread_ = 0, in_block_ = 0, done_ = 0;
  std::string error_;
};

thread_local Emulator* running = nullptr;

// A fiber's first function. What it throws ends the block: its other fibers are left where they are, and hold nothing.
void Emulator::Enter() {
  Emulator& emulator = *running;
  try {
    emulator.kernel_();
    Fiber& fiber = emulator.fibers_[emulator.thread_];
    if (!fiber.copies.empty()) Fail("ended while it copies");
    fiber.waiting = Waiting::kDone;
    ++emulator.done_;
    emulator.Next(&fiber.context);
  } catch (const std::exception& exception) {
    emulator.error_ = exception.what();
    setcontext(&emulator.main_);
  }
}

}  // namespace

void Run(const Grid& grid, Memory* memory, uint64_t seed, const std::function<void()>& kernel) {
  Emulator emulator(grid, memory, seed, kernel);
  struct Running {
    explicit Running(Emulator* emulator) { running = emulator; }
    ~Running() { running = nullptr; }
  } scope(&emulator);
  for (int64_t block = 0; block < grid.blocks; ++block) emulator.RunBlock(block);
}

int Thread() { return running->thread(); }
int64_t Block() { return running->block(); }

void CheckGlobal(const void* address, size_t bytes, size_t alignment, bool is_write) {
  if (running->memory() != nullptr)
    running->memory()->Check(address, bytes, alignment, is_write, running->global_thread());
}

std::byte* Shared(uint32_t offset, size_t bytes, bool is_write) {
  return running->Touch(running->thread(), offset, bytes, is_write);
}
std::byte* SharedOf(int lane, uint32_t offset, size_t bytes) {
  return running->Touch(running->thread() / kWarp * kWarp + lane, offset, bytes, false);
}

void CopyAsync(uint32_t offset, const void* from, size_t bytes) { running->CopyAsync({offset, from, bytes}); }
void WaitForCopies() { running->WaitForCopies(); }
void Barrier() { running->Barrier(); }
void WarpBarrier() { running->Together("WarpBarrier", nullptr, {}, true); }
void Together(const char* what, void* brought, const std::function<void(Lanes)>& compute) {
  running->Together(what, brought, compute, false);
}

void Memory::AddInput(std::string name, const void* data, size_t bytes) { Add(std::move(name), data, bytes, false); }
void Memory::AddOutput(std::string name, void* data, size_t bytes) { Add(std::move(name), data, bytes, true); }

void Memory::Add(std::string name, const void* data, size_t bytes, bool is_output) {
  Buffer buffer{std::move(name), bytes, {}, {}};
  if (is_output) buffer.writers = buffer.readers = std::vector<int64_t>((bytes + 1) / 2, -1);
  buffers_[reinterpret_cast<uintptr_t>(data)] = std::move(buffer);
}

void Memory::Check(const void* address, size_t bytes, size_t alignment, bool is_write, int64_t thread) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  auto found = buffers_.upper_bound(at);
  if (found == buffers_.begin()) Fail("an access before all buffers");
  --found;
  const size_t offset = at - found->first;
  Buffer& buffer = found->second;
  if (offset + bytes > buffer.bytes)
    Fail(bytes, " bytes at ", offset, " of ", buffer.name, ", which has ", buffer.bytes);
  if (at % alignment != 0) Fail("an access of ", bytes, " bytes to ", buffer.name, " at ", offset, " is misaligned");
  if (buffer.writers.empty()) {
    if (is_write) Fail("a write to ", buffer.name, ", which is an input");
    return;
  }
  for (size_t i = offset / 2; i < (offset + bytes) / 2; ++i) {
    int64_t &writer = buffer.writers[i], &reader = buffer.readers[i];
    if ((writer >= 0 && writer != thread) || (is_write && reader >= 0 && reader != thread))
      Fail(buffer.name, " at ", i * 2, " is touched by two threads of the grid");
    (is_write ? writer : reader) = thread;
  }
}

size_t Memory::Unwritten() const {
  size_t bytes = 0;
  for (const auto& [address, buffer] : buffers_)
    for (const int64_t writer : buffer.writers) bytes += writer < 0 ? 2 : 0;
  return bytes;
}

}  // namespace zrank::cuda::emulation
