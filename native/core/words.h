#pragma once

#include <string>

#include "core/contract.h"
#include "core/error.h"

namespace zrank {

template <typename Enum>
const char* Word(Enum value) {
  return kWords<Enum>[static_cast<size_t>(value)];
}

// Throws INTERNAL for a word that is none of the enum's: `what` says what it was taken for.
template <typename Enum>
Enum Parse(const std::string& word, const char* what) {
  for (size_t i = 0; i < kWords<Enum>.size(); ++i) {
    if (word == kWords<Enum>[i]) return static_cast<Enum>(i);
  }
  throw Error(ErrorCode::kInternal, "there is no " + std::string(what) + " \"" + word + "\"");
}

}  // namespace zrank
