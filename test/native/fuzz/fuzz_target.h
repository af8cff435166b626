#pragma once

#include "fuzz/fuzz_input.h"

// A fuzz target is a function of an input: it ends, or `require` says what does not hold. Clang makes a program of
// libFuzzer of each; native_tests, which every compiler builds, have all of them and run them on their corpora
// (replay.h).

#ifdef BERT_NATIVE_LIBFUZZER

#define BN_FUZZ_TARGET(name, function)                                      \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { \
    ::bert_native::fuzz::FuzzInput input(data, size);                       \
    function(input);                                                        \
    return 0;                                                               \
  }

#else

#include "fuzz/replay.h"

#define BN_FUZZ_TARGET(name, function)                                              \
  static const ::bert_native::test::Registration registration([] {                  \
    ::bert_native::test::add("fuzz/" #name ": its corpus and mutations of it", [] { \
      ::bert_native::fuzz::replay({#name, &(function)});                            \
    });                                                                             \
  });

#endif
