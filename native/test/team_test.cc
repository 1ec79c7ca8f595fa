// Threads that help each other. Nothing here needs ONNX Runtime.

#include "core/team.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "test/check.h"

namespace zrank {
namespace {

using namespace std::chrono_literals;

// Threads that do nothing but help.
struct Helpers {
  Team& team;
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;

  Helpers(Team& team, int count) : team(team) {
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([this] {
        while (true) {
          const int seen = this->team.news();
          if (done) return;
          if (!this->team.Help()) this->team.Sleep(seen);
        }
      });
    }
  }
  ~Helpers() {
    done = true;
    team.Wake();
    for (auto& thread : threads) thread.join();
  }
};

TEST(alone_a_thread_runs_all_tasks_in_order) {
  Team team;
  std::vector<size_t> ran;
  team.ParallelFor(5, [&](size_t index) { ran.push_back(index); });
  CHECK_EQ(ran, std::vector<size_t>{0, 1, 2, 3, 4});
  team.ParallelFor(0, [&](size_t index) { ran.push_back(index); });
  CHECK_EQ(ran.size(), {5});
}

TEST(helpers_take_part_and_every_task_runs_once) {
  Team team;
  Helpers helpers(team, 3);
  for (size_t count = 1; count < 200; ++count) {
    std::vector<std::atomic<int>> runs(count);
    team.ParallelFor(count, [&](size_t index) { ++runs[index]; });
    CHECK(std::ranges::all_of(runs, [](const auto& times) { return times == 1; }));
  }
}

TEST(tasks_that_wait_for_each_other_end_since_helpers_run_them_side_by_side) {
  Team team;
  Helpers helpers(team, 3);
  std::atomic<int> there{0};
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  team.ParallelFor(4, [&](size_t) {
    ++there;
    while (there < 4 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  });
  CHECK(std::chrono::steady_clock::now() < deadline);
}

TEST(two_jobs_at_once_both_end) {
  Team team;
  Helpers helpers(team, 2);
  std::atomic<size_t> sum{0};
  const auto run = [&] {
    for (int i = 0; i < 100; ++i) team.ParallelFor(20, [&](size_t index) { sum += index; });
  };
  std::thread other(run);
  run();
  other.join();
  CHECK_EQ(sum.load(), size_t{2 * 100 * 190});
}

TEST(what_a_task_throws_reaches_its_caller_whoever_ran_it) {
  Team team;
  Helpers helpers(team, 2);
  for (size_t guilty = 0; guilty < 20; ++guilty) {
    std::string message;
    try {
      team.ParallelFor(20, [&](size_t index) {
        if (index == guilty) throw std::runtime_error("task " + std::to_string(index));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    CHECK_EQ(message, "task " + std::to_string(guilty));
  }
}

TEST(a_thread_has_the_team_of_its_membership) {
  Team team, other;
  CHECK(Team::Current() == nullptr);
  {
    const Team::Membership outer(&team);
    CHECK(Team::Current() == &team);
    {
      const Team::Membership inner(&other);
      CHECK(Team::Current() == &other);
    }
    CHECK(Team::Current() == &team);
  }
  CHECK(Team::Current() == nullptr);
}

}  // namespace
}  // namespace zrank
