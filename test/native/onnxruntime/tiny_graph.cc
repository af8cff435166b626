#include "onnxruntime/tiny_graph.h"

#include <cstring>

namespace bert_native::test {

namespace {

// Fields by their numbers in onnx.proto.
class Message {
 public:
  Message& add(int field, int64_t number) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(static_cast<uint64_t>(number));
    return *this;
  }
  Message& add(int field, const std::string& bytes) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  Message& add(int field, const Message& message) { return add(field, message.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes_ += static_cast<char>(number | 0x80);
    bytes_ += static_cast<char>(number);
  }
  std::string bytes_;
};

Message value_info(const TinyValue& value) {
  Message shape;
  for (const TinyLength& length : value.shape) {
    shape.add(1, length.name.empty() ? Message().add(1, length.number) : Message().add(2, length.name));
  }
  return Message().add(1, value.name).add(2, Message().add(1, Message().add(1, value.type).add(2, shape)));
}

Message node(const TinyNode& node) {
  Message result;
  for (const std::string& name : node.inputs) result.add(1, name);
  for (const std::string& name : node.outputs) result.add(2, name);
  result.add(4, node.op_type);
  if (node.cast_to != 0) result.add(5, Message().add(1, std::string("to")).add(3, node.cast_to).add(20, 2));
  return result;
}

Message tensor(const TinyConstant& constant) {
  std::string raw(constant.values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), constant.values.data(), raw.size());
  Message result;
  for (const int64_t length : constant.shape) result.add(1, length);
  return result.add(2, kOnnxFloat).add(8, constant.name).add(9, raw);
}

}  // namespace

std::string TinyGraph::encode() const {
  Message graph;
  for (const TinyNode& one : nodes) graph.add(1, node(one));
  graph.add(2, std::string("tiny"));
  for (const TinyConstant& constant : constants) graph.add(5, tensor(constant));
  for (const TinyValue& value : inputs) graph.add(11, value_info(value));
  for (const TinyValue& value : outputs) graph.add(12, value_info(value));
  return Message().add(1, ir_version).add(7, graph).add(8, Message().add(2, opset)).bytes();
}

}  // namespace bert_native::test
