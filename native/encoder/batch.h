#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "encoder/specification.h"

namespace bert_native {

// Guards the memory that a request's results go to: its owner may take it back at any time, whatever is being computed.
class OutputGate {
 public:
  // From the return of close() on nothing is written any more. Waits for writes that have begun.
  void close() {
    state_.fetch_or(kClosed);
    while ((state_ & ~kClosed) != 0) std::this_thread::yield();
  }
  bool is_closed() const { return (state_ & kClosed) != 0; }

 private:
  friend class OutputAccess;
  static constexpr uint32_t kClosed = uint32_t{1} << 31;
  std::atomic<uint32_t> state_{0};  // writers inside, and whether it is closed
};

struct Sequence;

// Keeps the gate of a sequence open while it lives. Whoever writes results looks first whether it was open.
class OutputAccess {
 public:
  explicit OutputAccess(const Sequence& sequence);
  ~OutputAccess();
  OutputAccess(const OutputAccess&) = delete;
  explicit operator bool() const { return open_; }

 private:
  OutputGate* gate_;
  bool open_ = true;
};

struct OutputOptions {
  // Rows whose mask is 0 never act as keys. true: they are computed as queries all the same wherever a returned value
  // shows them, as the reference does. false: they come back as zeros; only position 0 is computed if a pooler needs
  // it. Where all masks are 0, every row attends to all S equally, as in the reference.
  bool compute_masked_positions = true;
  std::vector<Pooling> pooling = {Pooling::kMean};  // of `pooled`, side by side
  size_t pooling_skip = 0;  // so many positions whose mask is 1 are left out of poolings at the front
  bool normalize = false;   // divide `pooled` by its L2 norm (at least 1e-12)
};

// One row of a request, S positions wide, and where its results go. Pointers are the request's own memory and outlive
// the forward pass. Null output pointers are not wanted. Legend: S positions, H hidden_size, E embedding_size, A heads,
// L layers.
struct Sequence {
  size_t length = 0;                        // S
  const int32_t* input_ids = nullptr;       // [S], or null where inputs_embeds is given
  const float* inputs_embeds = nullptr;     // [S,E]: takes the place of the word embeddings
  const uint8_t* attention_mask = nullptr;  // [S]; 0: masked, anything else: not; null: nothing is masked
  const int32_t* token_type_ids = nullptr;  // [S]; null: all zeros
  const int32_t* position_ids = nullptr;    // [S]; null: 0, 1, 2, …

  float* last_hidden_state = nullptr;  // [S,H]
  float* pooler_output = nullptr;      // [H]
  float* pooled = nullptr;             // [modes·H], by OutputOptions::pooling
  std::vector<float*> hidden_states;   // L+1 of [S,H], the embeddings first; or empty
  std::vector<float*> attentions;      // L of [A,S,S]: probabilities, from position to position; or empty
  // One for each of the specification's heads, null where it is not wanted; or empty. Over tokens [S,N], or
  // [head_positions,N]; else [N].
  std::vector<float*> heads;
  // Ascending positions that heads over tokens run on; null: all that are shown.
  const int32_t* head_positions = nullptr;
  size_t head_position_count = 0;
  OutputOptions options;
  OutputGate* gate = nullptr;  // null: the outputs stay until the pass is done
};

inline OutputAccess::OutputAccess(const Sequence& sequence) : gate_(sequence.gate) {
  if (gate_ != nullptr) open_ = (gate_->state_.fetch_add(1) & OutputGate::kClosed) == 0;
}

inline OutputAccess::~OutputAccess() {
  if (gate_ != nullptr) gate_->state_.fetch_sub(1);
}

}  // namespace bert_native
