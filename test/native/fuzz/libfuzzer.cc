// What programs of libFuzzer have in place of replay.cc.

#include <cstdio>
#include <cstdlib>

#include "fuzz/fuzz_input.h"

namespace bert_native::fuzz {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace bert_native::fuzz
