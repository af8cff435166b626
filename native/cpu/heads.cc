#include "cpu/heads.h"

#include <algorithm>

#include "encoder/pooling.h"

namespace bert_native {

namespace {

// Rows that go through a head together, so that weights are read, and words packed, once for many; fewer where rows are
// so wide that they would take more than kGroupElements.
constexpr size_t kGroupRows = 512;
constexpr size_t kGroupElements = size_t{1} << 22;
// Columns that a thread computes at a time: their panels stay in its second-level cache while all strips pass by.
constexpr size_t kColumnsAtOnce = 128;
// Tasks for each thread, so that one that is held up leaves work to the others.
constexpr size_t kTasksPerThread = 4;
// Products of each thread in a step, so that short calls get their turn: some tens of milliseconds.
constexpr size_t kProductsPerStep = size_t{1} << 29;

size_t widest_row(const Head& head) {
  size_t widest = head.input_width;
  for (size_t i = 0; i < head.operations.size(); ++i) {
    const HeadOperation& operation = head.operations[i];
    const bool last_product = i + 1 == head.operations.size() && operation.kind == HeadOperation::Kind::kProduct;
    if (!last_product) widest = std::max(widest, operation.width);
  }
  return widest;
}

size_t panel_size(const GemmKernels& gemm, const DepthPieces& pieces) {
  size_t size = 0;
  for (size_t piece = 0; piece < pieces.count(); ++piece) size += gemm.panel_bytes(pieces.length(piece));
  return size;
}

}  // namespace

size_t HeadScratch::size_in_bytes() const {
  size_t size = rows.size_in_bytes() + next_rows.size_in_bytes() + strips.size_in_bytes() + zeros.size_in_bytes();
  for (const Thread& thread : threads) {
    size += thread.panels.size_in_bytes() + thread.table_rows.size_in_bytes() + thread.products.size_in_bytes();
  }
  return size;
}

Head make_head(const HeadSpecification& specification, const HeadWeights& weights,
               const EncoderSpecification& encoder) {
  using Kind = HeadOperation::Kind;
  Head head{.input_width = head_input_width(specification, encoder), .operations = {}};
  for (size_t i = 0; i < specification.steps.size(); ++i) {
    const HeadStep& step = specification.steps[i];
    const HeadStepWeights& parameters = weights.steps[i];
    const float* bias = step.bias ? parameters.linear.bias.data() : nullptr;
    const size_t width = head.output_width();
    std::vector<HeadOperation>& operations = head.operations;
    switch (step.kind) {
      case HeadStepKind::kLinear:
        operations.push_back({.width = step.outputs, .matrix = &parameters.linear.matrix, .bias = bias});
        break;
      case HeadStepKind::kWordEmbeddings:
        operations.push_back({.width = encoder.embeddings.vocab_size, .bias = bias});
        break;
      case HeadStepKind::kNorm:
        operations.push_back({.kind = Kind::kNorm,
                              .width = width,
                              .bias = step.norm.bias ? parameters.norm.beta.data() : nullptr,
                              .gamma = parameters.norm.gamma.data(),
                              .eps = step.norm.eps});
        break;
      case HeadStepKind::kActivation:
        if (operations.empty() || operations.back().kind != Kind::kProduct || operations.back().activates) {
          operations.push_back({.kind = Kind::kActivation, .width = width});
        }
        operations.back().activates = true;
        operations.back().activation = step.activation;
        break;
      case HeadStepKind::kNormalize:
        operations.push_back({.kind = Kind::kNormalize, .width = width});
        break;
    }
  }
  return head;
}

void prepend_linear(Head& head, const LinearWeights& linear, Activation activation) {
  head.operations.insert(head.operations.begin(), {.width = linear.matrix.outputs(),
                                                   .matrix = &linear.matrix,
                                                   .bias = linear.bias.data(),
                                                   .activates = true,
                                                   .activation = activation});
  head.input_width = linear.matrix.inputs();
}

// A share of a product: some panels of columns, by some strips of rows.
struct HeadRunner::Columns {
  const HeadOperation& operation;
  const GemmKernels& gemm;
  const Strips& strips;
  const float* bias;
  size_t panel_begin, panel_end;
  size_t strip_begin, strip_end;
};

HeadRunner::HeadRunner(const KernelTable& kernels, const EmbeddingTable& words, ThreadPool& pool, PassControl& control,
                       HeadScratch& scratch)
    : kernels_(kernels), words_(words), pool_(pool), control_(control), scratch_(scratch) {
  scratch.threads.resize(pool.thread_count());
}

void HeadRunner::run(const Head& head, const std::vector<HeadRow>& rows,
                     const std::function<void(size_t source, float* row)>& read) {
  const size_t most = std::clamp<size_t>(kGroupElements / widest_row(head), 1, kGroupRows);
  for (size_t first = 0; first < rows.size(); first += most) {
    run_group(head, rows.data() + first, std::min(most, rows.size() - first), read);
  }
}

void HeadRunner::run_group(const Head& head, const HeadRow* rows, size_t count,
                           const std::function<void(size_t source, float* row)>& read) {
  const size_t stride = row_stride(widest_row(head));
  scratch_.rows.reserve(count * stride);
  pool_.parallel_for(count, [&](size_t row, size_t) { read(rows[row].source, scratch_.rows.data() + row * stride); });
  const Sink to_outputs = [&](size_t row_begin, size_t row_end, size_t col_begin, size_t columns, const float* values,
                              size_t ld) { store(rows, row_begin, row_end, col_begin, columns, values, ld); };
  const Sink to_next_rows = [&](size_t row_begin, size_t row_end, size_t col_begin, size_t columns, const float* values,
                                size_t ld) {
    for (size_t row = row_begin; row < row_end; ++row) {
      std::copy_n(values + (row - row_begin) * ld, columns, scratch_.next_rows.data() + row * stride + col_begin);
    }
  };
  size_t width = head.input_width;
  for (const HeadOperation& operation : head.operations) {
    const bool last = &operation == &head.operations.back();
    if (operation.kind != HeadOperation::Kind::kProduct) {
      bias_or_zeros(operation.bias, width);
      pool_.parallel_for(count, [&](size_t row, size_t) { apply(operation, scratch_.rows.data() + row * stride); });
    } else if (last) {
      multiply(operation, width, count, stride, to_outputs);
      return;
    } else {
      scratch_.next_rows.reserve(count * stride);
      multiply(operation, width, count, stride, to_next_rows);
      std::swap(scratch_.rows, scratch_.next_rows);
    }
    width = operation.width;
  }
  pool_.parallel_for(count, [&](size_t row, size_t) {
    store(rows, row, row + 1, 0, width, scratch_.rows.data() + row * stride, stride);
  });
}

// The group's rows [rows, depth] by the operation's matrix.
void HeadRunner::multiply(const HeadOperation& operation, size_t depth, size_t rows, size_t stride, const Sink& sink) {
  const GemmKernels& gemm = operation.matrix != nullptr ? operation.matrix->gemm() : kernels_.gemm_of(MatrixType::kF32);
  const DepthPieces pieces(depth);
  scratch_.strips.reserve(Strips::size_in_bytes(gemm, pieces, rows));
  Strips strips(gemm, pieces, scratch_.strips.data(), rows);
  const float* bias = operation.activates ? bias_or_zeros(operation.bias, operation.width) : operation.bias;
  control_.begin_step();
  pool_.parallel_for(strips.count(), [&](size_t strip, size_t) { strips.pack(scratch_.rows.data(), stride, strip); });

  // Each thread reads its own panels once; only where they are too few to go round are the rows cut as well.
  const size_t panels = ceil_div(operation.width, gemm.cols), wanted = pool_.thread_count() * kTasksPerThread;
  const size_t at_once = std::clamp<size_t>(panels / wanted, 1, std::max<size_t>(1, kColumnsAtOnce / gemm.cols));
  const size_t column_parts = ceil_div(panels, at_once);
  const size_t row_parts = column_parts >= wanted ? 1 : std::min(strips.count(), ceil_div(wanted, column_parts));
  const size_t tasks = column_parts * row_parts;
  const size_t products_of_task = ceil_div(rows, row_parts) * at_once * gemm.cols * depth;
  const size_t tasks_per_step =
      std::max<size_t>(1, kProductsPerStep / std::max<size_t>(1, products_of_task)) * pool_.thread_count();
  for (size_t first = 0; first < tasks; first += tasks_per_step) {
    if (first > 0) control_.begin_step();
    pool_.parallel_for(std::min(tasks_per_step, tasks - first), [&](size_t index, size_t worker) {
      control_.throw_if_abandoned();
      const size_t part = (first + index) / row_parts, row_part = (first + index) % row_parts;
      multiply_columns({.operation = operation,
                        .gemm = gemm,
                        .strips = strips,
                        .bias = bias,
                        .panel_begin = part * at_once,
                        .panel_end = std::min(panels, (part + 1) * at_once),
                        .strip_begin = row_part * strips.count() / row_parts,
                        .strip_end = (row_part + 1) * strips.count() / row_parts},
                       worker, sink);
    });
  }
}

void HeadRunner::multiply_columns(const Columns& part, size_t worker, const Sink& sink) {
  const GemmKernels& gemm = part.gemm;
  const DepthPieces& pieces = part.strips.pieces();
  HeadScratch::Thread& scratch = scratch_.threads[worker];
  const size_t panels = part.panel_end - part.panel_begin, ld = panels * gemm.cols;
  const size_t col_begin = part.panel_begin * gemm.cols, columns = std::min(ld, part.operation.width - col_begin);
  scratch.products.reserve(gemm.rows * ld);
  const bool from_table = part.operation.matrix == nullptr;
  const size_t panel_bytes = panel_size(gemm, pieces);
  const std::byte* packed = from_table ? nullptr : part.operation.matrix->panel(part.panel_begin);
  if (from_table) {
    scratch.panels.reserve(panels * panel_bytes);
    packed = scratch.panels.data();
  }
  const auto activate = kernels_.add_bias_activate_f32[static_cast<size_t>(part.operation.activation)];
  for (size_t strip = part.strip_begin; strip < part.strip_end; ++strip) {
    const size_t row = strip * gemm.rows, rows = std::min(gemm.rows, part.strips.rows() - row);
    {
      const TileScope scope(gemm);
      for (size_t panel = 0; panel < panels; ++panel) {
        const std::byte* w = packed + panel * panel_bytes;
        Ahead ahead;
        // Packed when the first strip needs them, the rows of the next on their way meanwhile.
        if (from_table && strip == part.strip_begin) {
          pack_words(part, part.panel_begin + panel, scratch, panel * panel_bytes);
          ahead = words_ahead(part, part.panel_begin + panel + 1, pieces.count());
        }
        for (size_t piece = 0; piece < pieces.count(); ++piece) {
          gemm.tile(scratch.products.data() + panel * gemm.cols, ld, part.strips.strip(strip, piece), w, rows,
                    pieces.length(piece), piece > 0, ahead);
          ahead.memory += ahead.bytes;
          w += gemm.panel_bytes(pieces.length(piece));
        }
      }
    }
    for (size_t i = 0; i < rows; ++i) {
      float* x = scratch.products.data() + i * ld;
      if (part.operation.activates) {
        activate(x, part.bias + col_begin, columns);
      } else if (part.bias != nullptr) {
        kernels_.add_bias_f32(x, part.bias + col_begin, columns);
      }
    }
    sink(row, row + rows, col_begin, columns, scratch.products.data(), ld);
  }
}

// Packs a panel of rows of the table of words.
void HeadRunner::pack_words(const Columns& part, size_t panel, HeadScratch::Thread& scratch, size_t at) const {
  const GemmKernels& gemm = part.gemm;
  const DepthPieces& pieces = part.strips.pieces();
  const size_t depth = words_.width(), begin = panel * gemm.cols,
               end = std::min(part.operation.width, begin + gemm.cols);
  const float* rows = words_.rows_in_place(begin);
  if (rows == nullptr) {
    scratch.table_rows.reserve(gemm.cols * depth);
    words_.read_rows(begin, end, scratch.table_rows.data(), kernels_);
    rows = scratch.table_rows.data();
  }
  std::byte* out = scratch.panels.data() + at;
  for (size_t piece = 0; piece < pieces.count(); ++piece) {
    gemm.pack_panel(out, rows + pieces.begin(piece), depth, end - begin, pieces.length(piece));
    out += gemm.panel_bytes(pieces.length(piece));
  }
}

// The share of each of some pieces of the rows that a panel will be packed from.
Ahead HeadRunner::words_ahead(const Columns& part, size_t panel, size_t shares) const {
  const size_t begin = panel * part.gemm.cols, end = std::min(part.operation.width, begin + part.gemm.cols);
  const float* rows = begin < end ? words_.rows_in_place(begin) : nullptr;
  if (rows == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(rows), (end - begin) * words_.width() * sizeof(float) / shares};
}

void HeadRunner::apply(const HeadOperation& operation, float* row) {
  const size_t n = operation.width;
  switch (operation.kind) {
    case HeadOperation::Kind::kNorm:
      kernels_.layer_norm_f32(row, row, operation.gamma,
                              operation.bias != nullptr ? operation.bias : scratch_.zeros.data(), operation.eps, n);
      break;
    case HeadOperation::Kind::kActivation:
      kernels_.add_bias_activate_f32[static_cast<size_t>(operation.activation)](row, scratch_.zeros.data(), n);
      break;
    case HeadOperation::Kind::kNormalize:
      normalize_l2_f32(row, n, kernels_);
      break;
    case HeadOperation::Kind::kProduct:
      break;
  }
}

const float* HeadRunner::bias_or_zeros(const float* bias, size_t width) {
  if (bias != nullptr) return bias;
  if (scratch_.zeros.size() < width) {
    scratch_.zeros.reserve(width);
    std::fill_n(scratch_.zeros.data(), width, 0.0f);
  }
  return scratch_.zeros.data();
}

void HeadRunner::store(const HeadRow* rows, size_t row_begin, size_t row_end, size_t col_begin, size_t columns,
                       const float* values, size_t ld) {
  for (size_t row = row_begin; row < row_end;) {
    const Sequence& sequence = *rows[row].sequence;
    const OutputAccess access(sequence);
    for (; row < row_end && rows[row].sequence == &sequence; ++row) {
      if (access) std::copy_n(values + (row - row_begin) * ld, columns, rows[row].out + col_begin);
    }
  }
}

}  // namespace bert_native
