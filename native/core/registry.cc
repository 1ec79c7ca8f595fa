#include <algorithm>
#include <map>

#include "core/engine.h"

namespace zrank {

namespace {

// The engines of the process. Leaked, like the runtime: threads may still look one up while the process exits.
struct Registry {
  struct Slot {
    std::mutex opening;  // held while the model loads
    std::weak_ptr<Engine> engine;
  };
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Slot>> slots;
  std::vector<std::weak_ptr<Engine>> engines;
  std::map<uint64_t, std::weak_ptr<Attachment>> attachments;
  uint64_t next_attachment = 1;
};

Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace

std::shared_ptr<Engine> Engine::Open(const std::string& key, const EngineSpec& spec) {
  Registry& registry = TheRegistry();
  std::shared_ptr<Registry::Slot> slot;
  {
    const std::lock_guard lock(registry.mutex);
    // Slots of engines that are gone; whoever opens one holds it.
    std::erase_if(registry.slots,
                  [](const auto& entry) { return entry.second.use_count() == 1 && entry.second->engine.expired(); });
    auto& entry = registry.slots[key];
    if (!entry) entry = std::make_shared<Registry::Slot>();
    slot = entry;
  }
  const std::lock_guard opening(slot->opening);
  if (auto engine = slot->engine.lock()) return engine;
  auto engine = std::make_shared<Engine>(spec);
  slot->engine = engine;
  const std::lock_guard lock(registry.mutex);
  std::erase_if(registry.engines, [](const auto& weak) { return weak.expired(); });
  registry.engines.push_back(engine);
  return engine;
}

void Engine::AbandonAll() {
  Registry& registry = TheRegistry();
  std::vector<std::shared_ptr<Engine>> engines;
  {
    const std::lock_guard lock(registry.mutex);
    for (const auto& weak : registry.engines) {
      if (auto engine = weak.lock()) engines.push_back(engine);
    }
  }
  for (auto& engine : engines) engine->Abandon();
  // None of the engine's threads may be inside ONNX Runtime when the process takes its libraries down.
  for (auto& engine : engines) engine->JoinThreads();
}

std::shared_ptr<Attachment> Attachment::Create(std::shared_ptr<Engine> engine) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  std::erase_if(registry.attachments, [](const auto& entry) { return entry.second.expired(); });
  const uint64_t id = registry.next_attachment++;
  std::shared_ptr<Attachment> attachment(new Attachment(id, std::move(engine)));
  registry.attachments[id] = attachment;
  return attachment;
}

std::shared_ptr<Attachment> Attachment::Find(uint64_t id) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto entry = registry.attachments.find(id);
  return entry == registry.attachments.end() ? nullptr : entry->second.lock();
}

void Attachment::Stop() {
  stop_ = true;
  engine_->Wake();
}

}  // namespace zrank
