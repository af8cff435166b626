#pragma once

#include <string>

#include "binding/values.h"
#include "onnxruntime/graph_binding.h"
#include "onnxruntime/session.h"

namespace bert_native {

// Reading what load_graph() takes, as lib/binding/native.ts says. Each throws kOption, naming the field.

GraphBinding read_graph_binding(const Fields& object);

// intra_op_threads may be 0.
SessionSettings read_session_settings(const Fields& object);

// A text that is equal for two loads exactly when they would make the same session of a file. `identity` is what
// JavaScript says of the file and of those that it names.
std::string session_key(const std::string& path, const std::vector<std::string>& identity,
                        const SessionSettings& settings);

}  // namespace bert_native
