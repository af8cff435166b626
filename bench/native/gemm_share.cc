// Measures the products of an encoder alone: each shape of BERT-base over 2,048 tokens, in each type of weights, on
// one instruction set, as a share of what the processor's fastest multiply-adds reach on registers. Activations are
// packed once for each group of rows, as in a forward pass; weights are those of twelve layers, so that none stays in a
// cache. Prints one line of JSON for each. Usage: gemm_share [threads, default all] [instruction set, default the best]

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/thread_pool.h"
#include "cpu/product.h"
#include "measuring.h"

namespace bert_native {
namespace {

constexpr size_t kTokens = 2048, kLayers = 12;
constexpr int kRepetitions = 5;

struct Shape {
  const char* name;
  size_t outputs, inputs;
};
constexpr Shape kShapes[] = {
    {"query, key, value", 2304, 768}, {"attention output", 768, 768}, {"mlp up", 3072, 768}, {"mlp down", 768, 3072}};

struct Type {
  const char* name;
  MatrixType type;
};
constexpr Type kTypes[] = {{"fp32", MatrixType::kF32},
                           {"fp16", MatrixType::kF16},
                           {"bf16", MatrixType::kBf16},
                           {"q8", MatrixType::kInt8},
                           {"fp32 as two bf16", MatrixType::kBf16x2},
                           {"fp32 as three bf16", MatrixType::kBf16x3}};

// Small numbers that look random; a sum of products stays small.
std::vector<float> values(size_t count) {
  std::vector<float> result(count);
  uint32_t state = 1;
  for (float& value : result) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-36f;
  }
  return result;
}

// Rows [begin, end) of the product, packed and multiplied by one thread.
void multiply_group(const PackedMatrix& w, const std::vector<float>& a, std::vector<float>& c, size_t ldc, size_t begin,
                    size_t end, std::vector<std::byte>& packed) {
  const GemmKernels& gemm = w.gemm();
  const size_t rows = end - begin;
  packed.resize(Strips::size_in_bytes(gemm, w.pieces(), rows));
  Strips strips(gemm, w.pieces(), packed.data(), rows);
  for (size_t i = 0; i < strips.count(); ++i) strips.pack(a.data() + begin * w.inputs(), w.inputs(), i);
  multiply(Spread(), {.a = strips, .w = w, .panel_end = w.panel_count(), .c = c.data() + begin * ldc, .ldc = ldc},
           [](const Region&) {});
}

double giga_operations_of_product(const Shape& shape, const KernelTable& kernels, MatrixType type, ThreadPool& pool) {
  ParameterSources sources;
  sources["w"] = {{shape.outputs, shape.inputs}, values(shape.outputs * shape.inputs)};
  const ParameterReader reader(sources, kernels);
  LoadScratch scratch;
  std::vector<PackedMatrix> layers;
  std::vector<AlignedBuffer<std::byte>> memory;
  for (size_t i = 0; i < kLayers; ++i) {
    PackedMatrix& w =
        layers.emplace_back(std::vector<PackedMatrix::Part>{{"w", shape.outputs}}, shape.inputs, kernels.gemm_of(type));
    memory.emplace_back(w.size_in_bytes());
    w.place(memory.back().data());
    for (size_t chunk = 0; chunk < w.chunk_count(); ++chunk) w.load_chunk(chunk, reader, scratch);
  }
  const std::vector<float> a = values(kTokens * shape.inputs);
  const size_t ldc = row_stride(shape.outputs);
  std::vector<float> c(kTokens * ldc);
  std::vector<std::vector<std::byte>> packed(pool.thread_count());
  const size_t unit = kernels.gemm_of(type).rows, group_rows = kernels.gemm_of(type).group_rows;
  const size_t strips = ceil_div(kTokens, unit);
  const size_t threads = pool.thread_count();
  const size_t groups = ceil_div(ceil_div(strips, std::max<size_t>(1, group_rows / unit)), threads) * threads;
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double seconds = seconds_of([&] {
      for (const PackedMatrix& w : layers) {
        pool.parallel_for(groups, [&](size_t group, size_t worker) {
          multiply_group(w, a, c, ldc, group * strips / groups * unit,
                         std::min(kTokens, (group + 1) * strips / groups * unit), packed[worker]);
        });
      }
    });
    const double operations = 2.0 * kTokens * static_cast<double>(shape.outputs * shape.inputs * kLayers);
    best = std::max(best, operations / seconds * 1e-9);
  }
  return best;
}

void measure(Isa isa, size_t threads) {
  const KernelTable& kernels = *kernel_table(isa);
  ThreadPool pool(threads);
  for (const auto& [name, type] : kTypes) {
    const MultiplyAddLoop* loop = multiply_adds_of(isa, type);
    if (kernels.resolve(type) != type || loop == nullptr) continue;
    for (const Shape& shape : kShapes) {
      // Peak and product turn by turn, so that both meet the same weather.
      double share = 0, product = 0, peak = 0;
      for (int i = 0; i < 2; ++i) {
        peak = std::max(peak, giga_operations_per_s(*loop, threads));
        product = std::max(product, giga_operations_of_product(shape, kernels, type, pool));
      }
      share = product / peak;
      std::printf(
          "{\"isa\": \"%s\", \"threads\": %zu, \"dtype\": \"%s\", \"product\": \"%s\", \"tokens\": %zu, "
          "\"outputs\": %zu, \"inputs\": %zu, \"giga_operations_per_s\": %.1f, \"peak\": %.1f, "
          "\"share_of_peak\": %.3f}\n",
          isa_name(isa), threads, name, shape.name, kTokens, shape.outputs, shape.inputs, product, peak, share);
      std::fflush(stdout);
    }
  }
}

void run(int argc, char** argv) {
  const size_t threads = argc > 1 ? positive_argument(argv[1]) : usable_thread_count();
  Isa isa = selected_isa();
  if (argc > 2) {
    const auto& isas = available_isas();
    const auto found =
        std::find_if(isas.begin(), isas.end(), [&](Isa each) { return std::strcmp(argv[2], isa_name(each)) == 0; });
    if (found == isas.end()) throw Error(ErrorCode::kOption, std::string("this processor has no ") + argv[2]);
    isa = *found;
  }
  if (peak_loops_of(isa) == nullptr) {
    throw Error(ErrorCode::kOption, std::string("there is no loop that measures the peak of ") + isa_name(isa));
  }
  measure(isa, threads);
}

}  // namespace
}  // namespace bert_native

int main(int argc, char** argv) { return bert_native::run_program("gemm_share", bert_native::run, argc, argv); }
