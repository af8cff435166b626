// That the replay of fuzz targets can fail, and what it leaves behind then.

#include "fuzz/replay.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

#include "temporary_folder.h"

namespace bert_native::fuzz {

namespace {

void refuses_two_sevens(FuzzInput& input) {
  const bool both = input.take<uint8_t>() == 7 && input.take<uint8_t>() == 7;
  require(!both, "no two sevens");
}

void throws_bad_alloc(FuzzInput&) { throw std::bad_alloc(); }

void add_tests() {
  test::add("fuzz/replay: a fault is reported with its input, which is kept", [] {
    const test::TemporaryFolder folder;
    const std::string running = folder.write("running", "");
    BN_CHECK(!run_input({"fake", refuses_two_sevens}, "\x07\x08", running), "a good input");
    const auto wrong = run_input({"fake", refuses_two_sevens}, "\x07\x07\xfe", running);
    BN_CHECK(wrong && wrong->find("no two sevens") != std::string::npos, "the fault");
    BN_CHECK(wrong->find(": 0707fe") != std::string::npos, *wrong);
    std::ifstream file(running, std::ios::binary);
    const std::string kept{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    BN_CHECK(kept == "\x07\x07\xfe", "the input is kept");
    BN_CHECK(run_input({"fake", throws_bad_alloc}, "", running), "what is thrown and no Error is a fault");
  });

  test::add("fuzz/replay: mutations are as the seed says, differ and find what is near", [] {
    const std::vector<std::string> corpus{{"\x07\x01\x02\x03"}, {"\x05\x06"}};
    Mutator one(1), same(1), other(2);
    std::set<std::string> made;
    bool differs = false, finds = false;
    for (size_t i = 0; i < 5000; ++i) {
      const std::string bytes = one.mutate(corpus);
      BN_CHECK(bytes.size() <= 2048, "the size");
      BN_CHECK(bytes == same.mutate(corpus), "the same seed makes the same");
      differs = differs || bytes != other.mutate(corpus);
      finds = finds || bytes.starts_with("\x07\x07");
      made.insert(bytes);
    }
    BN_CHECK(differs, "another seed makes others");
    BN_CHECK(made.size() > 3000, std::to_string(made.size()) + " inputs");
    BN_CHECK(finds, "a byte that is one change away");
  });
}

const test::Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::fuzz
