#pragma once

#include <memory>

#include "binding/guarded.h"
#include "binding/node_api.h"
#include "core/engine.h"

namespace zrank {

// What JavaScript holds of an engine (`Engine` in src/addon.ts): an attachment, until close().
class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // Opens an engine off the JavaScript thread: a model on a GPU takes its time to load.
  static Napi::Promise OpenAsync(Napi::Env env, Napi::Object options);

  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;

 private:
  Napi::Value Id(const Napi::CallbackInfo& info);
  Napi::Value Counters(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  // The class's counterpart of Export.
  template <Napi::Value (EngineObject::*kMethod)(const Napi::CallbackInfo&)>
  Napi::Value GuardedMethod(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] { return (this->*kMethod)(info); });
  }

  // Throws CLOSED after close().
  const std::shared_ptr<Attachment>& Open() const;

  std::shared_ptr<Attachment> attachment_;  // null once closed
};

}  // namespace zrank
