#pragma once

#include "binding/node_api.h"

namespace zrank {

// core/contract.h as JavaScript sees it (`Contract` in src/addon.ts).
Napi::Object ContractToJs(Napi::Env env);

}  // namespace zrank
