#pragma once

// The only place that includes node-addon-api and sets its defines.
#define NODE_ADDON_API_DISABLE_DEPRECATED
#include <napi.h>  // IWYU pragma: export
