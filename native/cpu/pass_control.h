#pragma once

#include "common/errors.h"

namespace bert_native {

// What a pass asks of whoever runs it.
class PassControl {
 public:
  virtual ~PassControl() = default;
  // Whether nobody waits for any of the block's results any more. Called often, from every thread of the pool.
  virtual bool is_abandoned() const { return false; }
  // Called between steps, with the pool free: other work may run on it before the pass goes on.
  virtual void between_steps() {}

  void throw_if_abandoned() const {
    if (is_abandoned()) throw Error(ErrorCode::kAborted, "the forward pass was aborted");
  }
  void begin_step() {
    throw_if_abandoned();
    between_steps();
  }
};

}  // namespace bert_native
