#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bert_native::test {

// ONNX files of a few nodes, written in protobuf's wire format.

constexpr int kOnnxFloat = 1, kOnnxInt32 = 6, kOnnxInt64 = 7, kOnnxString = 8, kOnnxBool = 9, kOnnxFloat16 = 10,
              kOnnxDouble = 11;

// A length of a shape: a number, or the name of one that is left open.
struct TinyLength {
  TinyLength(int64_t size) : number(size) {}                    // NOLINT(google-explicit-constructor)
  TinyLength(const char* symbol) : number(-1), name(symbol) {}  // NOLINT(google-explicit-constructor)
  int64_t number;
  std::string name;
};

struct TinyValue {
  std::string name;
  int type = kOnnxFloat;
  std::vector<TinyLength> shape;
};

struct TinyNode {
  std::string op_type;
  std::vector<std::string> inputs, outputs;
  int64_t cast_to = 0;  // of Cast: the attribute `to`
};

struct TinyConstant {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct TinyGraph {
  std::vector<TinyValue> inputs, outputs;
  std::vector<TinyNode> nodes;
  std::vector<TinyConstant> constants;
  int64_t ir_version = 8, opset = 17;

  std::string encode() const;
};

}  // namespace bert_native::test
