#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bert_native {

// Element types of a graph's inputs and outputs that are exchanged with it.
enum class GraphType { kInt32, kInt64, kBool, kF16, kF32, kOther };

size_t size_in_bytes(GraphType type);

// An input or output as the graph declares it.
struct GraphValue {
  std::string name;
  GraphType type = GraphType::kOther;
  std::vector<int64_t> shape;  // -1: any length
};

using NamedSettings = std::vector<std::pair<std::string, std::string>>;

struct ExecutionProvider {
  std::string name;  // cpu, cuda, tensorrt, coreml, dml, xnnpack, webgpu, …, as onnxruntime-node names them
  NamedSettings settings;
};

enum class GraphOptimization { kDisabled, kBasic, kExtended, kLayout, kAll };

// How ONNX Runtime makes a session.
struct SessionSettings {
  size_t intra_op_threads = 1;
  size_t inter_op_threads = 1;
  bool parallel_execution = false;
  GraphOptimization optimization = GraphOptimization::kAll;
  std::string optimized_model_path;  // where the optimised graph is written; empty: nowhere
  bool memory_arena = true;
  bool memory_pattern = false;
  int log_severity = 4;                      // 0 verbose … 4 fatal: what is logged as an error is thrown, too
  std::vector<ExecutionProvider> providers;  // in order of preference; the CPU's comes last in any case
  NamedSettings entries;                     // session configuration entries, as the library's headers name them
  std::vector<std::pair<std::string, int64_t>> free_dimensions;  // lengths for symbolic dimensions
};

// A model's graph: a file, or a file's bytes (which are copied where the library keeps them).
using GraphSource = std::variant<std::string, std::vector<std::byte>>;

// Memory that a run reads a whole input from, or writes a whole output to.
struct GraphTensor {
  size_t value = 0;  // index into inputs() or outputs()
  void* data = nullptr;
  std::vector<int64_t> shape;  // of the element type that the graph declares
};

// Ends runs early. Shared by the run and whoever aborts it, from any thread.
class RunTermination {
 public:
  RunTermination();
  ~RunTermination();
  // The runs that were given this end with kAborted at the next operator; runs that begin later do at once.
  void terminate();
  bool is_terminated() const;

 private:
  friend class OnnxRuntimeSession;
  struct State;
  std::unique_ptr<State> state_;
};

// A graph that is ready to run. Runs may overlap, from any threads.
class GraphSession {
 public:
  // Needs open_onnxruntime(). Blocks while the library reads and optimises the graph. Throws kFileFormat for what is no
  // valid graph, kUnsupportedModel for operators that the library lacks, kDevice for a provider that is not there,
  // kMemory, kIo, kOption.
  static std::shared_ptr<const GraphSession> load(const GraphSource& source, const SessionSettings& settings);
  virtual ~GraphSession() = default;

  virtual const std::vector<GraphValue>& inputs() const = 0;
  virtual const std::vector<GraphValue>& outputs() const = 0;
  // Of the providers asked for, those that the session was made with.
  virtual const std::vector<std::string>& providers() const = 0;

  // Inputs and outputs are bound where they are (IoBinding): nothing is copied. Every input of the graph is given; only
  // the outputs given are computed. Throws kAborted where it was terminated, kShape for an output of another shape than
  // its memory, kMemory, kFileFormat where an operator fails.
  virtual void run(const std::vector<GraphTensor>& inputs, const std::vector<GraphTensor>& outputs,
                   RunTermination& termination) const = 0;
};

}  // namespace bert_native
