#include "onnxruntime/session.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "harness.h"
#include "onnxruntime/graph_encoder.h"
#include "onnxruntime/library.h"
#include "onnxruntime/tiny_graph.h"
#include "temporary_folder.h"

namespace bert_native::test {

namespace {

// Of the environment variable BERT_NATIVE_ONNXRUNTIME, else of the development dependency, seen from the source or the
// build folder; empty where there is none.
std::string library_path() {
  if (const char* const given = std::getenv("BERT_NATIVE_ONNXRUNTIME")) return given;
#if defined(__linux__) && !defined(__GLIBC__)
  return "";  // the development dependency's is for glibc
#endif
  namespace fs = std::filesystem;
  std::error_code ignored;
  for (fs::path folder = fs::current_path(); folder != folder.parent_path(); folder = folder.parent_path()) {
    const fs::path bin = folder / "node_modules/onnxruntime-node/bin/napi-v6";
    for (const char* const name :
         {"linux/x64/libonnxruntime.so.1", "darwin/arm64/libonnxruntime.1.dylib", "win32/x64/onnxruntime.dll"}) {
#if defined(__linux__) && defined(__aarch64__)
      const fs::path path = bin / "linux/arm64/libonnxruntime.so.1";
      (void)name;
#else
      const fs::path path = bin / name;
#endif
      if (!fs::exists(path, ignored)) continue;
#if defined(__linux__)
      if (path.extension() == ".1") return path.string();
#elif defined(__APPLE__)
      if (path.extension() == ".dylib") return path.string();
#else
      if (path.extension() == ".dll") return path.string();
#endif
    }
  }
  return "";
}

GraphSource bytes_of(const std::string& text) {
  const auto* const first = reinterpret_cast<const std::byte*>(text.data());
  return std::vector<std::byte>(first, first + text.size());
}

std::shared_ptr<const GraphSession> load(const TinyGraph& graph, const SessionSettings& settings = {}) {
  return GraphSession::load(bytes_of(graph.encode()), settings);
}

// sum = a + b, of any [B, 3].
TinyGraph addition() {
  TinyGraph graph;
  graph.inputs = {{"a", kOnnxFloat, {"B", 3}}, {"b", kOnnxFloat, {"B", 3}}};
  graph.outputs = {{"sum", kOnnxFloat, {"B", 3}}};
  graph.nodes = {{"Add", {"a", "b"}, {"sum"}}};
  return graph;
}

constexpr size_t kLongWidth = 512;

// So many products that no run gets through them in a test's time.
TinyGraph long_graph() {
  TinyGraph graph;
  const auto width = static_cast<int64_t>(kLongWidth);
  graph.inputs = {{"x", kOnnxFloat, {width, width}}};
  graph.outputs = {{"y", kOnnxFloat, {width, width}}};
  graph.constants = {{"w", {width, width}, std::vector<float>(kLongWidth * kLongWidth, 1.0f / kLongWidth)}};
  constexpr int kProducts = 5000;
  for (int i = 0; i < kProducts; i++) {
    const std::string from = std::to_string(i), to = std::to_string(i + 1);
    graph.nodes.push_back({"MatMul", {i == 0 ? "x" : from, "w"}, {i + 1 == kProducts ? "y" : to}});
  }
  return graph;
}

void test_opening(const std::string& path) {
  check_throws(ErrorCode::kEngine, "does not open", [] { open_onnxruntime("/nowhere/libonnxruntime.so"); });
  const OnnxRuntimeInfo& library = open_onnxruntime(path);
  BN_CHECK(library.version.rfind("1.", 0) == 0, "version " + library.version);
  const auto& providers = library.providers;
  BN_CHECK(std::find(providers.begin(), providers.end(), "CPUExecutionProvider") != providers.end(), "no CPU");
  const std::filesystem::path again =
      std::filesystem::path(path).parent_path() / "." / std::filesystem::path(path).filename();
  BN_CHECK(&open_onnxruntime(again.string()) == &library, "the same file was opened anew");
  check_throws(ErrorCode::kEngine, "cannot open /other/libonnxruntime.so beside it",
               [] { open_onnxruntime("/other/libonnxruntime.so"); });
}

void test_running() {
  const TemporaryFolder folder;
  const std::string path = folder.write("größe/model.onnx", addition().encode());
  for (const GraphSource& source : {GraphSource(path), bytes_of(addition().encode())}) {
    const auto session = GraphSession::load(source, {});
    BN_CHECK(session->inputs().size() == 2 && session->inputs()[1].name == "b", "inputs");
    BN_CHECK(session->outputs().at(0).type == GraphType::kF32, "type");
    BN_CHECK((session->outputs().at(0).shape == std::vector<int64_t>{-1, 3}), "shape");
    BN_CHECK(session->providers() == std::vector<std::string>{"cpu"}, "providers");
    std::vector<float> a = {1, 2, 3, 4, 5, 6}, b = {10, 20, 30, 40, 50, 60}, sum(6);
    RunTermination termination;
    session->run({{0, a.data(), {2, 3}}, {1, b.data(), {2, 3}}}, {{0, sum.data(), {2, 3}}}, termination);
    BN_CHECK((sum == std::vector<float>{11, 22, 33, 44, 55, 66}), "sum");
  }
}

void test_types() {
  TinyGraph graph;
  int index = 0;
  for (const int type : {kOnnxInt32, kOnnxInt64, kOnnxBool, kOnnxFloat16, kOnnxFloat, kOnnxDouble}) {
    const std::string number = std::to_string(index++);
    graph.inputs.push_back({"in" + number, type, {2}});
    graph.outputs.push_back({"out" + number, kOnnxFloat, {2}});
    graph.nodes.push_back({"Cast", {"in" + number}, {"out" + number}, kOnnxFloat});
  }
  graph.inputs.pop_back();
  graph.outputs.pop_back();
  graph.nodes.pop_back();
  const auto session = load(graph);
  std::vector<int32_t> i32 = {-3, 7};
  std::vector<int64_t> i64 = {-4, 9};
  uint8_t booleans[] = {1, 0};
  uint16_t halves[] = {0x3C00, 0xC000};
  std::vector<float> f32 = {0.5f, -0.25f};
  std::vector<std::vector<float>> out(5, std::vector<float>(2));
  RunTermination termination;
  session->run({{0, i32.data(), {2}}, {1, i64.data(), {2}}, {2, booleans, {2}}, {3, halves, {2}}, {4, f32.data(), {2}}},
               {{0, out[0].data(), {2}},
                {1, out[1].data(), {2}},
                {2, out[2].data(), {2}},
                {3, out[3].data(), {2}},
                {4, out[4].data(), {2}}},
               termination);
  const std::vector<std::vector<float>> expected = {{-3, 7}, {-4, 9}, {1, 0}, {1, -2}, {0.5f, -0.25f}};
  BN_CHECK(out == expected, "values");
}

void test_unwritten_outputs() {
  // What the library computes when it is loaded, or passes through, it may give in memory of its own.
  TinyGraph graph;
  graph.inputs = {{"x", kOnnxFloat, {"B"}}};
  graph.constants = {{"c", {2}, {3, 4}}};
  graph.outputs = {{"c", kOnnxFloat, {2}}, {"same", kOnnxFloat, {"B"}}, {"twice", kOnnxFloat, {2}}};
  graph.nodes = {{"Identity", {"x"}, {"same"}}, {"Add", {"c", "c"}, {"twice"}}};
  const auto session = load(graph);
  std::vector<float> x = {1, 2}, c(2), same(2), twice(2);
  RunTermination termination;
  session->run({{0, x.data(), {2}}}, {{0, c.data(), {2}}, {1, same.data(), {2}}, {2, twice.data(), {2}}}, termination);
  BN_CHECK((c == std::vector<float>{3, 4}), "constant");
  BN_CHECK(same == x, "passed through");
  BN_CHECK((twice == std::vector<float>{6, 8}), "folded");
  for (size_t output = 0; output < 3; output++) {
    std::vector<float> short_memory(3, -1);
    check_throws(ErrorCode::kShape, "", [&] {
      session->run({{0, x.data(), {2}}}, {{output, short_memory.data(), {1}}}, termination);
    });
    BN_CHECK(short_memory[1] == -1 && short_memory[2] == -1, "written behind its end");
  }
}

void test_wrong_shapes() {
  const auto session = load(addition());
  std::vector<float> a(12), b(12), guarded(12, -1);
  RunTermination termination;
  const auto run = [&](std::vector<int64_t> of_a, std::vector<int64_t> of_b, std::vector<int64_t> of_sum) {
    session->run({{0, a.data(), of_a}, {1, b.data(), of_b}}, {{0, guarded.data(), of_sum}}, termination);
  };
  check_throws(ErrorCode::kShape, "", [&] { run({2, 3}, {2, 3}, {1, 3}); });
  check_throws(ErrorCode::kShape, "", [&] { run({2, 3}, {2, 3}, {3, 2}); });
  check_throws(ErrorCode::kShape, "'a'", [&] { run({-1, 3}, {2, 3}, {1, 3}); });
  check_throws(ErrorCode::kShape, "'a'", [&] { run({int64_t{1} << 62, 3}, {2, 3}, {1, 3}); });
  check_throws(ErrorCode::kShape, "a", [&] { run({2, 4}, {2, 4}, {2, 4}); });
  check_throws(ErrorCode::kShape, "a", [&] { run({6}, {6}, {6}); });
  check_throws(ErrorCode::kFileFormat, "", [&] { run({2, 3}, {3, 3}, {2, 3}); });
  BN_CHECK(std::all_of(guarded.begin(), guarded.end(), [](float value) { return value == -1; }), "memory was touched");
  check_throws(ErrorCode::kOption, "2 inputs", [&] {
    session->run({{0, a.data(), {2, 3}}}, {{0, guarded.data(), {2, 3}}}, termination);
  });
  run({2, 3}, {2, 3}, {2, 3});
}

void test_overlapping_runs() {
  const auto session = load(addition());
  RunTermination termination;
  std::vector<std::string> failures(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < failures.size(); t++) {
    threads.emplace_back([&, t] {
      const size_t rows = t + 1;
      std::vector<float> a(3 * rows, static_cast<float>(t)), b(3 * rows, 100), sum(3 * rows);
      const std::vector<int64_t> shape = {static_cast<int64_t>(rows), 3};
      for (int round = 0; round < 200; round++) {
        try {
          session->run({{0, a.data(), shape}, {1, b.data(), shape}}, {{0, sum.data(), shape}}, termination);
        } catch (const Error& error) {
          failures[t] = error.what();
        }
        if (sum != std::vector<float>(3 * rows, 100 + static_cast<float>(t))) failures[t] = "another run's sums";
        std::fill(sum.begin(), sum.end(), 0.0f);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) BN_CHECK(failure.empty(), failure);
}

void test_termination() {
  const auto session = load(long_graph());
  RunTermination termination;
  std::vector<ErrorCode> codes(2, ErrorCode::kIo);
  std::vector<std::thread> threads;
  for (ErrorCode& code : codes) {
    threads.emplace_back([&] {
      std::vector<float> x(kLongWidth * kLongWidth, 1), y(kLongWidth * kLongWidth);
      const std::vector<int64_t> shape(2, kLongWidth);
      try {
        session->run({{0, x.data(), shape}}, {{0, y.data(), shape}}, termination);
      } catch (const Error& error) {
        code = error.code();
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  termination.terminate();
  for (std::thread& thread : threads) thread.join();
  for (const ErrorCode code : codes) {
    BN_CHECK(code == ErrorCode::kAborted, std::string("ended with ") + error_code_name(code));
  }
  BN_CHECK(termination.is_terminated(), "is_terminated");
  std::vector<float> x(1);
  check_throws(ErrorCode::kAborted, "aborted", [&] { session->run({{0, x.data(), {1, 1}}}, {}, termination); });

  const auto other = load(addition());
  std::vector<float> a = {1, 2, 3}, sum(3);
  RunTermination fresh;
  other->run({{0, a.data(), {1, 3}}, {1, a.data(), {1, 3}}}, {{0, sum.data(), {1, 3}}}, fresh);
  BN_CHECK((sum == std::vector<float>{2, 4, 6}), "a session is as good as new after runs that were terminated");
}

void test_hostile_bytes() {
  const std::string good = addition().encode();
  check_throws(ErrorCode::kFileFormat, "does not load", [&] { GraphSession::load(bytes_of(""), {}); });
  check_throws(ErrorCode::kFileFormat, "does not load",
               [&] { GraphSession::load(bytes_of(std::string(1000, 'x')), {}); });
  check_throws(ErrorCode::kFileFormat, "does not load",
               [&] { GraphSession::load(bytes_of(good.substr(0, good.size() / 2)), {}); });
  size_t loaded = 0, refused = 0;
  for (size_t i = 0; i < good.size(); i++) {
    for (const int change : {1, 0x80, 0xFF}) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ change);
      try {
        GraphSession::load(bytes_of(changed), {});
        loaded++;
      } catch (const Error&) {
        refused++;
      }
    }
  }
  note(std::to_string(refused) + " of " + std::to_string(loaded + refused) + " changed files were refused");
  BN_CHECK(refused > loaded / 10, "hardly any was refused");
  load(addition());
}

void test_unsupported_graphs() {
  TinyGraph graph = addition();
  graph.nodes[0].op_type = "Sphere";
  check_throws(ErrorCode::kUnsupportedModel, "Sphere", [&] { load(graph); });
  graph = addition();
  graph.ir_version = 1000;
  check_throws(ErrorCode::kUnsupportedModel, "IR version", [&] { load(graph); });
  graph = addition();
  graph.opset = 1000;
  check_throws(ErrorCode::kUnsupportedModel, "1000", [&] { load(graph); });
  graph = addition();
  graph.nodes[0].inputs[1] = "c";
  check_throws(ErrorCode::kFileFormat, "c", [&] { load(graph); });
  check_throws(ErrorCode::kIo, "/nowhere/model.onnx",
               [&] { GraphSession::load(std::string("/nowhere/model.onnx"), {}); });
}

void test_providers() {
  SessionSettings settings;
  settings.providers = {{"warp", {}}};
  check_throws(ErrorCode::kDevice, "no execution provider 'warp': it has cpu", [&] { load(addition(), settings); });
  settings.providers = {{"coreml", {}}, {"dml", {}}};
#if defined(__linux__)
  check_throws(ErrorCode::kDevice, "no execution provider 'coreml': it has cpu", [&] { load(addition(), settings); });
#endif
  settings.providers = {{"cpu", {}}};
  BN_CHECK(load(addition(), settings)->providers() == std::vector<std::string>{"cpu"}, "providers");
}

void test_options() {
  const TemporaryFolder folder;
  SessionSettings settings;
  settings.optimized_model_path = folder.path() + "/optimised.onnx";
  settings.free_dimensions = {{"B", 5}};
  settings.intra_op_threads = 2;
  settings.inter_op_threads = 2;
  settings.parallel_execution = true;
  settings.memory_arena = false;
  settings.memory_pattern = true;
  settings.entries = {{"session.disable_prepacking", "1"}};
  for (const auto optimization : {GraphOptimization::kDisabled, GraphOptimization::kBasic, GraphOptimization::kExtended,
                                  GraphOptimization::kAll}) {
    settings.optimization = optimization;
    BN_CHECK((load(addition(), settings)->inputs()[0].shape == std::vector<int64_t>{5, 3}), "the length given");
  }
  const auto written = GraphSession::load(settings.optimized_model_path, {});
  BN_CHECK(written->inputs().size() == 2, "the optimised graph");
  settings.entries = {{std::string(2000, 'k'), "1"}};
  check_throws(ErrorCode::kOption, "options", [&] { load(addition(), settings); });
}

#if defined(__linux__)

std::set<std::string> thread_ids() {
  std::set<std::string> ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ids.insert(entry.path().string());
  return ids;
}

// Whether SIGTERM is in the thread's mask.
bool blocks_signals(const std::string& thread) {
  std::ifstream status(thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("SigBlk:", 0) == 0) return (std::stoull(line.substr(7), nullptr, 16) >> 14 & 1) != 0;
  }
  return false;
}

void test_threads() {
  const std::set<std::string> before = thread_ids();
  SessionSettings settings;
  settings.intra_op_threads = 4;
  const auto session = load(addition(), settings);
  size_t started = 0;
  for (const std::string& thread : thread_ids()) {
    if (before.contains(thread)) continue;
    started++;
    BN_CHECK(blocks_signals(thread), thread + " runs the process's signal handlers");
  }
  BN_CHECK(started == 3, "the library has started " + std::to_string(started) + " threads");
}

#endif

GraphEncoder encoder_graph(const TinyGraph& graph) {
  GraphEncoder encoder;
  encoder.session = load(graph);
  encoder.specification.hidden_size = 3;
  encoder.specification.embeddings.embedding_size = 3;
  encoder.binding.inputs_embeds = "a";
  encoder.binding.last_hidden_state = "sum";
  return encoder;
}

void test_bindings() {
  TinyGraph graph;
  graph.inputs = {{"a", kOnnxFloat, {"B", "S", 3}}};
  graph.outputs = {{"sum", kOnnxFloat, {"B", "S", 3}}};
  graph.nodes = {{"Add", {"a", "a"}, {"sum"}}};
  GraphEncoder encoder = encoder_graph(graph);
  check_graph_encoder(encoder);

  const auto refused = [](GraphEncoder wrong, ErrorCode code, const std::string& part) {
    check_throws(code, part, [&] { check_graph_encoder(wrong); });
  };
  GraphEncoder wrong = encoder;
  wrong.binding.attention_mask = "mask";
  refused(wrong, ErrorCode::kFileFormat, "no input 'mask'; it has a");
  wrong = encoder;
  wrong.binding.pooler_output = "pooled";
  refused(wrong, ErrorCode::kFileFormat, "no output 'pooled'; it has sum");
  wrong = encoder;
  wrong.binding.pooler_output = "sum";
  refused(wrong, ErrorCode::kUnsupportedModel, "'sum' has the shape [any, any, 3]; expected [any, 3]");
  wrong = encoder;
  wrong.specification.hidden_size = 4;
  refused(wrong, ErrorCode::kUnsupportedModel, "expected [any, any, 4]");
  wrong = encoder;
  wrong.binding.inputs_embeds = "";
  wrong.binding.input_ids = "a";
  refused(wrong, ErrorCode::kUnsupportedModel, "'a' is of another type than int64 or int32");
  wrong.binding.input_ids = "";
  refused(wrong, ErrorCode::kFileFormat, "neither ids nor embeddings");
  wrong = encoder;
  wrong.binding.fixed_rows = 1 << 12;
  wrong.binding.fixed_columns = 1 << 12;
  refused(wrong, ErrorCode::kUnsupportedModel, "runs of 4096 rows of 4096 positions");
  wrong.binding.fixed_rows = 0;
  wrong.binding.fixed_columns = size_t{1} << 40;
  refused(wrong, ErrorCode::kUnsupportedModel, "of 1099511627776 positions");
  wrong = encoder;
  wrong.binding.heads.emplace_back();
  refused(wrong, ErrorCode::kOption, "binding.heads");

  graph.inputs.push_back({"pixels", kOnnxFloat, {"B"}});
  graph.nodes.push_back({"Identity", {"pixels"}, {"unused"}});
  refused(encoder_graph(graph), ErrorCode::kUnsupportedModel, "wants an input 'pixels'");
}

void add_tests() {
  const std::string path = library_path();
  if (!onnxruntime_is_supported()) {
    add("onnxruntime/library: a build without headers says so", [] {
      check_throws(ErrorCode::kEngine, "knows no ONNX Runtime", [] { open_onnxruntime("libonnxruntime.so.1"); });
      check_throws(ErrorCode::kEngine, "knows no ONNX Runtime", [] { GraphSession::load(std::string("a"), {}); });
      BN_CHECK(opened_onnxruntime() == nullptr, "opened");
    });
    return;
  }
  if (path.empty()) {
    add_skipped("onnxruntime", "there is no library; BERT_NATIVE_ONNXRUNTIME may name one");
    return;
  }
  add("onnxruntime/library: sessions need it, it is opened once", [path] {
    check_throws(ErrorCode::kEngine, "was not opened", [] { load(addition()); });
    test_opening(path);
  });
  const auto add_opened = [&](const std::string& name, void (*body)()) {
    add("onnxruntime/session: " + name, [path, body] {
      open_onnxruntime(path);
      body();
    });
  };
  add_opened("a graph of a file or of bytes runs on memory that is given", test_running);
  add_opened("every type that is exchanged", test_types);
  add_opened("outputs that nothing computes are given, too", test_unwritten_outputs);
  add_opened("wrong shapes are errors and touch no memory", test_wrong_shapes);
  add_opened("runs overlap", test_overlapping_runs);
  add_opened("runs that share a termination end early", test_termination);
  add_opened("hostile bytes are errors", test_hostile_bytes);
  add_opened("graphs that the library cannot run are errors that say why", test_unsupported_graphs);
  add_opened("execution providers that are not there are errors", test_providers);
  add_opened("options reach the library", test_options);
#if defined(__linux__)
  add_opened("the library's threads leave signals to the process", test_threads);
#endif
  add_opened("a binding that does not fit the graph is an error", test_bindings);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
