#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "harness.h"

// Fuzz targets as tests: on their corpora, and on what a few changes make of these.

namespace bert_native::fuzz {

// What `require` throws in native_tests. No Error, which targets expect of the library.
class Finding : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

struct Target {
  std::string name;
  void (*run)(FuzzInput&);
};

// Changes inputs as libFuzzer's mutators do; the same seed makes the same inputs everywhere.
class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}
  // One of `corpus`, which is not empty, after a few changes; at most 2,048 bytes.
  std::string mutate(const std::vector<std::string>& corpus);

 private:
  // Below `limit`, which is above 0.
  size_t below(size_t limit) { return random_() % limit; }
  void change(std::string& bytes, const std::vector<std::string>& corpus);

  std::mt19937 random_;
};

// Runs a target on one input, which lies in the file `running` meanwhile, so that it outlives a crash. Returns what was
// wrong, with the input in hex; the file stays then.
std::optional<std::string> run_input(const Target& target, const std::string& bytes, const std::string& running);

// A test: test/fuzz/corpus/native-<name> and test/fuzz/found/native-<name>, then mutations of their files.
void replay(const Target& target);

}  // namespace bert_native::fuzz
