#include "onnxruntime/fake_session.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "common/errors.h"
#include "harness.h"
#include "kernels/half.h"

namespace bert_native::test {

namespace {

int32_t read_number(const GraphTensor& tensor, GraphType type, size_t index) {
  switch (type) {
    case GraphType::kInt32:
      return static_cast<const int32_t*>(tensor.data)[index];
    case GraphType::kInt64:
      return static_cast<int32_t>(static_cast<const int64_t*>(tensor.data)[index]);
    case GraphType::kBool:
      return static_cast<const uint8_t*>(tensor.data)[index];
    case GraphType::kF16:
      return static_cast<const uint16_t*>(tensor.data)[index] == f16_bits(1) ? 1 : 0;
    default:
      return static_cast<int32_t>(static_cast<const float*>(tensor.data)[index]);
  }
}

}  // namespace

struct FakeSession::Row {
  struct Position {
    int32_t id = 0, type = 0, position = 0;
    bool key = true;
  };
  std::vector<Position> positions;

  float state(size_t position, size_t h) const {
    const auto keys = static_cast<size_t>(
        std::count_if(positions.begin(), positions.end(), [](const Position& each) { return each.key; }));
    const Position& at = positions[position];
    return fake_state(at.id, at.type, at.position, keys == 0 ? positions.size() : keys, h);
  }
};

FakeSession::FakeSession(const Types& types) : types_(types) {
  const std::vector<int64_t> shape = types.choices ? std::vector<int64_t>{-1, -1, -1} : std::vector<int64_t>{-1, -1};
  for (const char* name : {"input_ids", "token_type_ids", "position_ids"}) inputs_.push_back({name, types.ids, shape});
  inputs_.push_back({"attention_mask", types.mask, shape});
  const auto H = static_cast<int64_t>(kFakeHidden), A = static_cast<int64_t>(kFakeHeads);
  outputs_.push_back({"states", types.outputs, {-1, -1, H}});
  outputs_.push_back({"pooler", types.outputs, {-1, H}});
  for (size_t layer = 0; layer <= kFakeLayers; ++layer) {
    outputs_.push_back({"hidden_" + std::to_string(layer), types.outputs, {-1, -1, H}});
    if (layer > 0) outputs_.push_back({"attention_" + std::to_string(layer), types.outputs, {-1, A, -1, -1}});
  }
  outputs_.push_back({"labels", types.outputs, {-1, -1, static_cast<int64_t>(kFakeLabels)}});
  outputs_.push_back({"start", types.outputs, {-1, -1}});
  outputs_.push_back({"end", types.outputs, {-1, -1}});
  outputs_.push_back({"classes", types.outputs, {-1, static_cast<int64_t>(kFakeLabels)}});
}

void FakeSession::drop_input(const std::string& name) {
  std::erase_if(inputs_, [&](const GraphValue& value) { return value.name == name; });
}

void FakeSession::run(const std::vector<GraphTensor>& inputs, const std::vector<GraphTensor>& outputs,
                      RunTermination& termination) const {
  if (termination.is_terminated()) throw Error(ErrorCode::kAborted, "terminated");
  BN_CHECK(inputs.size() == inputs_.size(), "not every input is given");
  const std::vector<Row> rows = read(inputs);
  {
    const std::lock_guard lock(mutex_);
    most_ = std::max(most_, ++running_);
    Run& run = runs_.emplace_back();
    run.rows = rows.size();
    run.columns = rows[0].positions.size();
    for (const GraphTensor& output : outputs) {
      run.outputs.push_back(outputs_[output.value].name);
      run.memory.push_back(output.data);
    }
  }
  struct Ended {
    const FakeSession& session;
    ~Ended() {
      const std::lock_guard lock(session.mutex_);
      --session.running_;
    }
  } const ended{*this};
  if (on_run) on_run(rows.size());
  wait_in_the_middle(termination);
  for (const GraphTensor& output : outputs) write(output, rows);
}

std::vector<FakeSession::Row> FakeSession::read(const std::vector<GraphTensor>& inputs) const {
  const size_t B = static_cast<size_t>(inputs[0].shape.front()), S = static_cast<size_t>(inputs[0].shape.back());
  std::vector<Row> rows(B);
  for (Row& row : rows) row.positions.resize(S);
  for (const GraphTensor& input : inputs) {
    const GraphValue& value = inputs_.at(input.value);
    BN_CHECK(input.shape == (types_.choices ? std::vector<int64_t>{input.shape[0], 1, input.shape[2]} : input.shape) &&
                 input.shape == inputs[0].shape && input.shape.size() == value.shape.size(),
             "an input has an unexpected shape");
    for (size_t i = 0; i < B * S; ++i) {
      Row::Position& at = rows[i / S].positions[i % S];
      const int32_t number = read_number(input, value.type, i);
      if (value.name == "input_ids") at.id = number;
      if (value.name == "token_type_ids") at.type = number;
      if (value.name == "position_ids") at.position = number;
      if (value.name == "attention_mask") at.key = number != 0;
    }
  }
  return rows;
}

void FakeSession::wait_in_the_middle(RunTermination& termination) const {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  while (blocked_ && (ends_late || !termination.is_terminated())) changed_.wait_for(lock, std::chrono::milliseconds(1));
  --waiting_;
  if (!ends_late && termination.is_terminated()) throw Error(ErrorCode::kAborted, "terminated");
}

void FakeSession::write(const GraphTensor& output, const std::vector<Row>& rows) const {
  const GraphValue& value = outputs_.at(output.value);
  const std::vector<float> numbers = compute(value.name, rows);
  size_t count = 1;
  for (const int64_t length : output.shape) count *= static_cast<size_t>(length);
  BN_CHECK(count == numbers.size() && output.shape.size() == value.shape.size(),
           "the output " + value.name + " is bound with another shape than it has");
  if (value.type == GraphType::kF32) {
    std::copy(numbers.begin(), numbers.end(), static_cast<float*>(output.data));
  } else {
    std::transform(numbers.begin(), numbers.end(), static_cast<uint16_t*>(output.data), f16_bits);
  }
}

std::vector<float> FakeSession::compute(const std::string& name, const std::vector<Row>& rows) const {
  std::vector<float> out;
  const float added = name.starts_with("hidden_") ? static_cast<float>(1 + name.back() - '0') : 0;
  for (const Row& row : rows) {
    const size_t S = row.positions.size();
    if (name == "pooler") {
      for (size_t h = 0; h < kFakeHidden; ++h) out.push_back(-row.state(0, h));
    } else if (name == "classes") {
      for (size_t n = 0; n < kFakeLabels; ++n) out.push_back(row.state(0, 0) + 10 * static_cast<float>(n));
    } else if (name.starts_with("attention_")) {
      for (size_t i = 0; i < kFakeHeads * S * S; ++i) {
        const size_t key = i % S;
        out.push_back(row.positions[key].key ? fake_probability(i / S / S, i / S % S, key) : 0);
      }
    } else {
      for (size_t s = 0; s < S; ++s) {
        if (name == "start") out.push_back(row.state(s, 0) + 1);
        if (name == "end") out.push_back(row.state(s, 0) + 2);
        for (size_t n = 0; name == "labels" && n < kFakeLabels; ++n) {
          out.push_back(row.state(s, 0) + 20 * static_cast<float>(n));
        }
        for (size_t h = 0; (name == "states" || added > 0) && h < kFakeHidden; ++h)
          out.push_back(row.state(s, h) + added);
      }
    }
  }
  return out;
}

void FakeSession::block() {
  const std::lock_guard lock(mutex_);
  blocked_ = true;
}

void FakeSession::release() {
  const std::lock_guard lock(mutex_);
  blocked_ = false;
  changed_.notify_all();
}

void FakeSession::await_blocked(size_t runs) const {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_ >= runs; });
}

std::vector<FakeSession::Run> FakeSession::runs() const {
  const std::lock_guard lock(mutex_);
  return runs_;
}

size_t FakeSession::most_at_once() const {
  const std::lock_guard lock(mutex_);
  return most_;
}

std::shared_ptr<GraphEncoder> make_fake_encoder(std::shared_ptr<const GraphSession> session) {
  auto encoder = std::make_shared<GraphEncoder>();
  EncoderSpecification& specification = encoder->specification;
  specification.hidden_size = kFakeHidden;
  specification.embeddings.vocab_size = 32;
  specification.embeddings.embedding_size = kFakeHidden;
  specification.embeddings.max_position_embeddings = 64;
  specification.embeddings.type_vocab_size = 2;
  const auto add_head = [&](const char* name, HeadInputKind input, size_t outputs) {
    HeadSpecification head;
    head.name = name;
    head.input = input;
    HeadStep step;
    step.name = "dense";
    step.outputs = outputs;
    head.steps.push_back(step);
    specification.heads.push_back(head);
  };
  add_head("labels", HeadInputKind::kTokens, kFakeLabels);
  add_head("span", HeadInputKind::kTokens, 2);
  add_head("classes", HeadInputKind::kPooler, kFakeLabels);
  GraphBinding& binding = encoder->binding;
  const auto input = [&](const char* name) {
    const auto& inputs = session->inputs();
    const auto is_it = [&](const GraphValue& value) { return value.name == name; };
    return std::string(std::any_of(inputs.begin(), inputs.end(), is_it) ? name : "");
  };
  binding.input_ids = input("input_ids");
  binding.attention_mask = input("attention_mask");
  binding.token_type_ids = input("token_type_ids");
  binding.position_ids = input("position_ids");
  binding.has_choices = session->inputs()[0].shape.size() == 3;
  binding.padding_token_id = 31;
  binding.last_hidden_state = "states";
  binding.pooler_output = "pooler";
  for (size_t layer = 0; layer <= kFakeLayers; ++layer) {
    binding.hidden_states.push_back("hidden_" + std::to_string(layer));
    if (layer > 0) binding.attentions.push_back("attention_" + std::to_string(layer));
  }
  binding.heads = {{{"labels", -1}}, {{"start", 0}, {"end", 1}}, {{"classes", -1}}};
  encoder->session = std::move(session);
  encoder->token_budget = 64;
  return encoder;
}

}  // namespace bert_native::test
