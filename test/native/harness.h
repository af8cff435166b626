#pragma once

#include <functional>
#include <string>

// The harness of the native tests: named tests, each run until its first failed check.

namespace bert_native::test {

// Adds a test. Names read "area/what: statement"; the command line selects by substring.
void add(std::string name, std::function<void()> body);

// Says at the end of the run that something was not tested, and why.
void add_skipped(std::string name, std::string reason);

// Prints a line under the running test's name: a measured error, for instance.
void note(const std::string& text);

// Ends the running test as failed.
[[noreturn]] void fail(const char* file, int line, const std::string& message);

// Registers a file's tests before main() begins: `static const Registration registration(add_my_tests);`
struct Registration {
  explicit Registration(void (*add_tests)()) { add_tests(); }
};

}  // namespace bert_native::test

// Fails the running test unless `condition` holds. `message` is built only then.
#define BN_CHECK(condition, message)                                          \
  do {                                                                        \
    if (!(condition)) ::bert_native::test::fail(__FILE__, __LINE__, message); \
  } while (false)
