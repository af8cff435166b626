#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bert_native {

// One row of a request, S positions wide, and where its results go. Pointers are the request's own memory and outlive
// the forward pass. Null output pointers are not wanted. Legend: S positions, H hidden_size, A heads, L layers.
struct Sequence {
  size_t length = 0;                        // S
  const int32_t* input_ids = nullptr;       // [S], or null where inputs_embeds is given
  const float* inputs_embeds = nullptr;     // [S,H]: takes the place of the word embeddings
  const uint8_t* attention_mask = nullptr;  // [S]; 0: masked, anything else: not; null: nothing is masked
  const int32_t* token_type_ids = nullptr;  // [S]; null: all zeros
  const int32_t* position_ids = nullptr;    // [S]; null: 0, 1, 2, …

  float* last_hidden_state = nullptr;  // [S,H]
  float* pooler_output = nullptr;      // [H]
  float* pooled = nullptr;             // [H], by BatchOptions::pooling
  std::vector<float*> hidden_states;   // L+1 of [S,H], the embeddings first; or empty
  std::vector<float*> attentions;      // L of [A,S,S]: probabilities, from position to position; or empty
};

// How `pooled` is made from the last hidden state: mean and maximum over the positions whose mask is 1 (zeros where
// there are none), or position 0, whatever its mask.
enum class Pooling { kMean, kCls, kMax };

struct BatchOptions {
  // Rows whose mask is 0 never act as keys. true: they are computed as queries all the same wherever a returned value
  // shows them, as the reference does. false: they come back as zeros; only position 0 is computed if a pooler needs
  // it. Where all masks are 0, every row attends to all S equally, as in the reference.
  bool compute_masked_positions = true;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;  // divide `pooled` by its L2 norm (at least 1e-12)
};

}  // namespace bert_native
