#pragma once

// The only place that includes node-addon-api and sets its defines.
#define NODE_ADDON_API_DISABLE_DEPRECATED
// A backstop: Guarded (guarded.h) gives errors their codes before they get there.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
// In a thread that is being terminated nothing can be thrown any more: such exceptions are dropped, not fatal.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>  // IWYU pragma: export
