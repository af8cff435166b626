// native_tests [substring]: runs the tests whose names contain it, all without. Status 0 if none failed.

#include <cstdio>
#include <exception>
#include <utility>
#include <vector>

#include "harness.h"

namespace bert_native::test {

namespace {

struct Test {
  std::string name;
  std::function<void()> body;
};

struct Skipped {
  std::string name;
  std::string reason;
};

// Functions, because registrations in other files run before this file's own variables are ready.
std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

std::vector<Skipped>& skipped() {
  static std::vector<Skipped> all;
  return all;
}

std::vector<std::string>& notes_of_running_test() {
  static std::vector<std::string> notes;
  return notes;
}

struct Failure {
  std::string message;
};

bool passes(const Test& test) {
  bool passed = false;
  notes_of_running_test().clear();
  try {
    test.body();
    passed = true;
  } catch (const Failure& failure) {
    note(failure.message);
  } catch (const std::exception& error) {
    note(std::string("threw ") + error.what());
  }
  std::printf("%s  %s\n", passed ? "ok  " : "FAIL", test.name.c_str());
  for (const std::string& text : notes_of_running_test()) std::printf("      %s\n", text.c_str());
  std::fflush(stdout);
  return passed;
}

int run(const std::string& filter) {
  size_t passed = 0, failed = 0, left_out = 0;
  for (const Test& test : tests()) {
    if (test.name.find(filter) == std::string::npos) continue;
    ++(passes(test) ? passed : failed);
  }
  for (const Skipped& test : skipped()) {
    if (test.name.find(filter) == std::string::npos) continue;
    std::printf("SKIP  %s: %s\n", test.name.c_str(), test.reason.c_str());
    ++left_out;
  }
  if (passed + failed + left_out == 0) {
    std::printf("no test's name contains '%s'\n", filter.c_str());
    return 1;
  }
  std::printf("%zu passed, %zu failed", passed, failed);
  if (left_out > 0) std::printf(", %zu skipped", left_out);
  std::printf("\n");
  return failed == 0 ? 0 : 1;
}

}  // namespace

void add(std::string name, std::function<void()> body) { tests().push_back({std::move(name), std::move(body)}); }

void add_skipped(std::string name, std::string reason) { skipped().push_back({std::move(name), std::move(reason)}); }

void note(const std::string& text) { notes_of_running_test().push_back(text); }

void fail(const char* file, int line, const std::string& message) {
  throw Failure{std::string(file) + ":" + std::to_string(line) + ": " + message};
}

}  // namespace bert_native::test

int main(int argc, char** argv) { return bert_native::test::run(argc > 1 ? argv[1] : ""); }
