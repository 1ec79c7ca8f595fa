#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

namespace zrank {

// Lets the threads of an engine that have no batch help inside the batches of those that have one: a single document
// gets all cores, and where each thread has a batch of its own, nobody is in anybody's way. Every function may be
// called from any thread.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Runs task(0) to task(count - 1) on this thread and on those that help, and waits for them. Rethrows what a task
  // threw; then some tasks have not run.
  template <typename Task>
  void ParallelFor(size_t count, const Task& task) {
    Job job{[](const void* data, size_t index) { (*static_cast<const Task*>(data))(index); }, &task, count};
    Run(job);
  }

  // Helps in a job that needs it, if there is one, until it has no tasks left. Returns whether there was one.
  bool Help();

  // A number that changes when there is a new job, or with Wake().
  int news() const { return news_; }
  // Sleeps while news() is `seen`.
  void Sleep(int seen);
  void Wake();

  // The team of this thread while it runs a batch; null where there is none.
  static Team* Current();
  class Membership {
   public:
    explicit Membership(Team* team);
    ~Membership();
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    Team* const before_;
  };

 private:
  struct Job {
    void (*const task)(const void* data, size_t index);
    const void* const data;
    const size_t count;
    std::atomic<size_t> next{0};  // task to take
    int helpers = 0;              // needs mutex_, as the error does
    std::exception_ptr error = {};
  };

  void Run(Job& job);
  void Work(Job& job);

  std::mutex mutex_;
  std::condition_variable helper_left_;
  std::vector<Job*> jobs_;  // of threads that are inside Run()
  std::atomic<int> news_{0};
  std::atomic<size_t> asleep_{0};
};

}  // namespace zrank
