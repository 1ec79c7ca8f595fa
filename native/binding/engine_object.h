#pragma once

#include <memory>

#include "binding/node_api.h"
#include "core/engine.h"

namespace zrank {

// What JavaScript holds of an engine (`Engine` in src/addon.ts): an attachment, until close().
class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;

 private:
  Napi::Value Id(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  // Throws CLOSED after close().
  const std::shared_ptr<Attachment>& Open(Napi::Env env) const;

  std::shared_ptr<Attachment> attachment_;  // null once closed
};

}  // namespace zrank
