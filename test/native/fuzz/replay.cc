#include "fuzz/replay.h"

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace bert_native::fuzz {

namespace {

constexpr size_t kMutations = 2000;
constexpr size_t kMostBytes = 2048;
constexpr size_t kMostShown = 1024;

std::string hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes.substr(0, kMostShown)) {
    text.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
  }
  return bytes.size() > kMostShown ? text + "…" : text;
}

void read_inputs(const std::filesystem::path& folder, std::vector<std::string>& inputs) {
  if (!std::filesystem::exists(folder)) return;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
}

void require_good(const Target& target, const std::string& bytes, const std::string& running) {
  const std::optional<std::string> wrong = run_input(target, bytes, running);
  BN_CHECK(!wrong, *wrong);
}

}  // namespace

// In place of libFuzzer's, which ends the process.
void require(bool condition, const char* what) {
  if (!condition) throw Finding(what);
}

std::string Mutator::mutate(const std::vector<std::string>& corpus) {
  std::string bytes = corpus[below(corpus.size())];
  for (size_t changes = size_t{1} << below(5); changes > 0; --changes) {
    change(bytes, corpus);
    if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
  }
  return bytes;
}

void Mutator::change(std::string& bytes, const std::vector<std::string>& corpus) {
  static constexpr std::array<char, 10> kTelling{0, 1, 2, 7, 8, 31, 32, 64, 127, static_cast<char>(255)};
  const size_t at = below(bytes.size() + 1);
  const size_t count = std::min(bytes.size() - at, 1 + below(16));
  switch (below(8)) {
    case 0:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      break;
    case 1:
      if (at < bytes.size()) bytes[at] = static_cast<char>(below(256));
      break;
    case 2:
      if (at < bytes.size()) bytes[at] = kTelling[below(kTelling.size())];
      break;
    case 3:
      bytes.insert(at, 1 + below(8), static_cast<char>(below(256)));
      break;
    case 4:
      bytes.erase(at, count);
      break;
    case 5:
      bytes.insert(at, bytes.substr(at, count));
      break;
    case 6:
      // The number that says how many come, or a size that no memory holds: see FuzzInput::length.
      bytes.replace(at, count, std::string(1, '\0') + std::string(below(9), static_cast<char>(255)));
      break;
    default: {
      const std::string& other = corpus[below(corpus.size())];
      const size_t begin = below(other.size() + 1);
      bytes.replace(at, below(2) == 0 ? count : bytes.size() - at, other.substr(begin, 1 + below(256)));
    }
  }
}

std::optional<std::string> run_input(const Target& target, const std::string& bytes, const std::string& running) {
  std::ofstream(running, std::ios::binary | std::ios::trunc) << bytes;
  std::string what;
  try {
    FuzzInput input(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    target.run(input);
    // Not written over: some file systems wait for the disk then.
    std::filesystem::remove(running);
    return std::nullopt;
  } catch (const Finding& finding) {
    what = std::string("does not hold: ") + finding.what();
  } catch (const std::exception& error) {
    what = std::string("threw ") + error.what();
  }
  return what + "\n      the input, which lies in " + running + ": " + hex(bytes);
}

void replay(const Target& target) {
  const std::filesystem::path kept(BERT_NATIVE_FUZZ_INPUTS), folder(BERT_NATIVE_FUZZ_RUNNING);
  std::vector<std::string> inputs;
  for (const char* kind : {"corpus", "found"}) read_inputs(kept / kind / ("native-" + target.name), inputs);
  BN_CHECK(!inputs.empty(), "no corpus in " + (kept / "corpus" / ("native-" + target.name)).string());
  std::filesystem::create_directories(folder);
  // Two runs at once write no file of the other's.
  const std::string running = (folder / (target.name + "-" + std::to_string(std::random_device()()))).string();
  for (const std::string& bytes : inputs) require_good(target, bytes, running);
  Mutator mutator(1);
  for (size_t i = 0; i < kMutations; ++i) require_good(target, mutator.mutate(inputs), running);
}

}  // namespace bert_native::fuzz
