#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bert_native {

// Which of a graph's inputs and outputs is what of a forward pass: the graph's names, empty where it has none. Sizes
// are the specification's that goes with it. Legend: B batch, S columns of a batch, H hidden_size, N numbers of a head.
struct GraphBinding {
  // An output of the graph that holds a head's numbers: all N of them, or one column.
  struct HeadOutput {
    std::string name;
    int column = -1;  // [B,S] or [B]; -1: all, [B,S,N] or [B,N]
  };

  std::string input_ids, attention_mask, token_type_ids, position_ids;  // [B,S], of int64, int32 or (the mask) bool
  std::string inputs_embeds;                                            // [B,S,E]
  // Inputs are [B,C,S]: C is 1 in every run, since choices do not see each other.
  bool has_choices = false;
  int32_t padding_token_id = 0;  // what stands where a row is shorter than its batch
  // Static lengths of the graph's inputs; 0: any.
  size_t fixed_rows = 0, fixed_columns = 0;

  std::string last_hidden_state, pooler_output;  // [B,S,H], [B,H]
  std::vector<std::string> hidden_states;        // L+1 of [B,S,H], or none
  std::vector<std::string> attentions;           // L of [B,A,S,S], or none
  std::vector<std::vector<HeadOutput>> heads;    // of each of the specification's heads; empty: the graph lacks it
};

}  // namespace bert_native
