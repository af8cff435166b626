#include "cpu/product.h"

namespace bert_native {

namespace {

// Tasks for each thread, so that one that is held up leaves work to the others.
constexpr size_t kTasksPerThread = 4;

// A part of a product in the order in which it is computed: panels, or pieces of them, and every strip by each.
struct TileRange {
  const Product& product;
  size_t strip_begin, strip_end;
  size_t panel_begin, panel_end;

  size_t rows() const {
    const Strips& a = product.a;
    return std::min(a.rows(), strip_end * a.gemm().rows) - strip_begin * a.gemm().rows;
  }
};

// Multiplies every strip with one piece of a panel. Each tile asks for its share of `next`, what follows, so that all
// of that has come from memory by the time it is wanted.
void multiply_piece(const TileRange& range, size_t panel, size_t piece, Ahead next) {
  const Product& product = range.product;
  const GemmKernels& gemm = product.a.gemm();
  const size_t depth = product.a.pieces().length(piece), rows = range.rows();
  const std::byte* w = product.w.panel(panel, product.first_piece + piece);
  for (size_t done = 0; done < rows; done += gemm.rows) {
    const size_t row = range.strip_begin * gemm.rows + done, count = std::min(gemm.rows, rows - done);
    gemm.tile(product.c + row * product.ldc + (panel - product.panel_begin) * gemm.cols, product.ldc,
              product.a.strip(row / gemm.rows, piece), w, count, depth, product.accumulate || piece > 0,
              {next.memory + next.bytes * done / rows, next.bytes * count / rows});
  }
}

void multiply_tiles(const TileRange& range) {
  const Product& product = range.product;
  const DepthPieces& pieces = product.a.pieces();
  const TileScope scope(product.a.gemm());
  const auto piece_of = [&](size_t panel, size_t piece) {
    return Ahead{product.w.panel(panel, product.first_piece + piece),
                 product.a.gemm().panel_bytes(pieces.length(piece))};
  };
  // One strip passes by once anyway: then each panel is read from end to end.
  const size_t panels_at_once = range.strip_end - range.strip_begin == 1 ? 1 : range.panel_end - range.panel_begin;
  for (size_t first = range.panel_begin; first < range.panel_end; first += panels_at_once) {
    const size_t end = first + panels_at_once;
    for (size_t piece = 0; piece < pieces.count(); ++piece) {
      for (size_t panel = first; panel < end; ++panel) {
        Ahead next;
        if (panel + 1 < end) {
          next = piece_of(panel + 1, piece);
        } else if (piece + 1 < pieces.count()) {
          next = piece_of(first, piece + 1);
        } else if (end < range.panel_end) {
          next = piece_of(end, 0);
        }
        multiply_piece(range, panel, piece, next);
      }
    }
  }
}

}  // namespace

size_t Strips::size_in_bytes(const GemmKernels& gemm, const DepthPieces& pieces, size_t rows) {
  size_t strip = 0;
  for (size_t piece = 0; piece < pieces.count(); ++piece) strip += gemm.strip_bytes(pieces.length(piece));
  return ceil_div(rows, gemm.rows) * strip;
}

void Strips::pack(const float* a, size_t lda, size_t index) {
  const size_t row = index * gemm_->rows;
  for (size_t piece = 0; piece < pieces_.count(); ++piece) {
    gemm_->pack_strip(strip(index, piece), a + row * lda + pieces_.begin(piece), lda,
                      std::min(gemm_->rows, rows_ - row), pieces_.length(piece));
  }
}

void Spread::operator()(size_t count, const std::function<void(size_t begin, size_t end)>& body) const {
  const size_t tasks = std::min(count, thread_count() * kTasksPerThread);
  if (pool_ == nullptr || tasks <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  pool_->parallel_for(tasks, [&](size_t i, size_t) { body(i * count / tasks, (i + 1) * count / tasks); });
}

void pack_strip(const KernelTable& kernels, float* strips, const float* a, size_t lda, size_t rows, size_t depth,
                size_t strip) {
  const size_t row = strip * kernels.gemm_rows;
  kernels.gemm_pack_strip_f32(strips + row * depth, a + row * lda, lda, std::min(kernels.gemm_rows, rows - row), depth);
}

void multiply(const Spread& spread, const Product& product, const std::function<void(const Region&)>& epilogue) {
  const size_t cols = product.a.gemm().cols, rows_per_strip = product.a.gemm().rows;
  const size_t strips = product.a.count();
  const size_t panels = product.panel_end - product.panel_begin;
  const size_t col_limit = std::min(panels * cols, product.w.outputs() - product.panel_begin * cols);
  const auto multiply_region = [&](size_t strip_begin, size_t strip_end, size_t panel_begin, size_t panel_end) {
    multiply_tiles(
        {product, strip_begin, strip_end, product.panel_begin + panel_begin, product.panel_begin + panel_end});
    epilogue({strip_begin * rows_per_strip, std::min(strip_end * rows_per_strip, product.a.rows()), panel_begin * cols,
              std::min(panel_end * cols, col_limit)});
  };
  // Each thread reads its own panels once; only where they are too few to go round are the rows cut as well.
  const size_t wanted = spread.thread_count() == 1 ? 1 : spread.thread_count() * kTasksPerThread;
  const size_t row_parts = panels >= wanted ? 1 : std::min(strips, ceil_div(wanted, panels));
  if (row_parts == 1) {
    spread(panels, [&](size_t begin, size_t end) { multiply_region(0, strips, begin, end); });
    return;
  }
  spread(panels * row_parts, [&](size_t begin, size_t end) {
    for (size_t unit = begin; unit < end; ++unit) {
      const size_t panel = unit / row_parts, part = unit % row_parts;
      multiply_region(part * strips / row_parts, (part + 1) * strips / row_parts, panel, panel + 1);
    }
  });
}

}  // namespace bert_native
