#pragma once

#include <cstddef>

#include "common/compiler.h"
#include "kernels/gemm_kernels.h"

namespace bert_native {
namespace {

// Asks for what lies ahead, a share of it at each of `steps` steps of a tile. Where nothing does, it asks for `panel`,
// which the tile reads anyway, over and over: that costs less than a branch around it.
class Prefetcher {
 public:
  BN_ALWAYS_INLINE Prefetcher(Ahead ahead, const void* panel, size_t steps)
      : at_(ahead.bytes == 0 ? static_cast<const std::byte*>(panel) : ahead.memory),
        share_(steps == 0 ? 0 : (ahead.bytes + steps - 1) / steps) {}

  BN_ALWAYS_INLINE void step() {
    constexpr size_t kLineBytes = 64;
    size_t line = 0;
    do {
      BN_PREFETCH(at_ + line);
      line += kLineBytes;
    } while (line < share_);
    at_ += share_;
  }

 private:
  const std::byte* at_;
  size_t share_;
};

}  // namespace
}  // namespace bert_native
