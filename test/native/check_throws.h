#pragma once

#include <string>

#include "common/errors.h"
#include "harness.h"

namespace bert_native::test {

// Fails the running test unless `action` throws Error with this code and `part` in its message.
template <typename Action>
void check_throws(ErrorCode code, const std::string& part, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    BN_CHECK(error.code() == code, std::string("expected ") + error_code_name(code) + ", got " +
                                       error_code_name(error.code()) + ": " + error.what());
    BN_CHECK(std::string(error.what()).find(part) != std::string::npos,
             "expected a message with '" + part + "', got: " + error.what());
    return;
  }
  BN_CHECK(false, "nothing was thrown; expected a message with '" + part + "'");
}

}  // namespace bert_native::test
