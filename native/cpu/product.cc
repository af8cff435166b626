#include "cpu/product.h"

namespace bert_native {

namespace {

// K is cut so that a piece of a panel and of every strip stay in the second-level cache while they meet.
constexpr size_t kDepthBlock = 768;
static_assert(kDepthBlock % kGemmSumLength == 0, "a cut anywhere else would change the sums");
// Tasks for each thread, so that one that is held up leaves work to the others.
constexpr size_t kTasksPerThread = 4;

void multiply_tiles(const KernelTable& kernels, const Product& product, size_t strip_begin, size_t strip_end,
                    size_t panel_begin, size_t panel_end) {
  const size_t rows_per_strip = kernels.gemm_rows, cols = kernels.gemm_cols, depth = product.a.depth;
  const size_t depth_block = strip_end - strip_begin == 1 ? depth : kDepthBlock;
  for (size_t k = 0; k < depth; k += depth_block) {
    const size_t block = std::min(depth_block, depth - k);
    for (size_t panel = panel_begin; panel < panel_end; ++panel) {
      const float* w = product.w->panel(panel) + (product.k_begin + k) * cols;
      for (size_t strip = strip_begin; strip < strip_end; ++strip) {
        const size_t row = strip * rows_per_strip;
        kernels.gemm_tile_f32(product.c + row * product.ldc + (panel - product.panel_begin) * cols, product.ldc,
                              product.a.data + row * depth + k * rows_per_strip, w,
                              std::min(rows_per_strip, product.a.rows - row), block, product.accumulate || k > 0);
      }
    }
  }
}

}  // namespace

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

void multiply(const Spread& spread, const KernelTable& kernels, const Product& product,
              const std::function<void(const Region&)>& epilogue) {
  const size_t cols = kernels.gemm_cols;
  const size_t strips = ceil_div(product.a.rows, kernels.gemm_rows);
  const size_t panels = product.panel_end - product.panel_begin;
  const size_t col_limit = std::min(panels * cols, product.w->outputs() - product.panel_begin * cols);
  const auto multiply_region = [&](size_t strip_begin, size_t strip_end, size_t panel_begin, size_t panel_end) {
    multiply_tiles(kernels, product, strip_begin, strip_end, product.panel_begin + panel_begin,
                   product.panel_begin + panel_end);
    epilogue({strip_begin * kernels.gemm_rows, std::min(strip_end * kernels.gemm_rows, product.a.rows),
              panel_begin * cols, std::min(panel_end * cols, col_limit)});
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
