#include "core/team.h"

#include <algorithm>

#include "core/denormals.h"

namespace zrank {

namespace {

thread_local Team* current = nullptr;

}  // namespace

Team* Team::Current() { return current; }

Team::Membership::Membership(Team* team) : before_(current) { current = team; }
Team::Membership::~Membership() { current = before_; }

void Team::Run(Job& job) {
  if (job.count > 1) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(&job);
    }
    ++news_;
    for (size_t waking = std::min<size_t>(job.count - 1, asleep_); waking > 0; --waking) news_.notify_one();
  }
  Work(job);
  std::unique_lock lock(mutex_);
  std::erase(jobs_, &job);
  helper_left_.wait(lock, [&] { return job.helpers == 0; });
  if (job.error) std::rethrow_exception(job.error);
}

bool Team::Help() {
  std::unique_lock lock(mutex_);
  Job* job = nullptr;
  for (Job* candidate : jobs_) {
    if (candidate->next < candidate->count && (job == nullptr || candidate->helpers < job->helpers)) job = candidate;
  }
  if (job == nullptr) return false;
  ++job->helpers;
  lock.unlock();
  Work(*job);
  lock.lock();
  // Under the lock, since the job is gone once its thread has seen that nobody helps.
  if (--job->helpers == 0) helper_left_.notify_all();
  return true;
}

void Team::Work(Job& job) {
  const FlushDenormals scope;
  try {
    for (size_t index; (index = job.next++) < job.count;) job.task(job.data, index);
  } catch (...) {
    job.next = job.count;
    const std::lock_guard lock(mutex_);
    if (!job.error) job.error = std::current_exception();
  }
}

void Team::Sleep(int seen) {
  ++asleep_;
  news_.wait(seen);
  --asleep_;
}

void Team::Wake() {
  ++news_;
  news_.notify_all();
}

}  // namespace zrank
