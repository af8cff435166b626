// native_tests [substring] [-part…]: runs the tests whose names contain the substring, all without. Left out are those
// of whose names, which read "area: what, of what, …", such a part or the area is one. Status 0 if none failed.
// native_tests --isas: prints this machine's instruction sets, the best last.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "common/cpu_features.h"
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

// Whether one of the name's parts between commas, or its area, is one of these.
bool has_part(const std::string& name, const std::vector<std::string>& parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
    return (name + ",").find(", " + part + ",") != std::string::npos || name.starts_with(part + ": ");
  });
}

int run(const std::string& filter, const std::vector<std::string>& without) {
  size_t passed = 0, failed = 0, left_out = 0;
  for (const Test& test : tests()) {
    if (test.name.find(filter) == std::string::npos || has_part(test.name, without)) continue;
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

int main(int argc, char** argv) {
  std::string filter;
  std::vector<std::string> without;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--isas") {
      for (const bert_native::Isa isa : bert_native::available_isas()) std::printf("%s\n", bert_native::isa_name(isa));
      return 0;
    }
    if (argument.starts_with('-')) {
      without.push_back(argument.substr(1));
    } else {
      filter = argument;
    }
  }
  return bert_native::test::run(filter, without);
}
