#include <cstddef>
#include <cstring>

#include "kernels/amx/unit.h"
#include "peak_loops.h"

namespace bert_native::amx {

namespace {

// Each of the four sums three times.
constexpr size_t kProducts = 12;
constexpr size_t kElements = size_t{16} * 16 * 16;

void bf16_step() {
  TileUnit::add_bf16_products<0, 0>();
  TileUnit::add_bf16_products<0, 1>();
  TileUnit::add_bf16_products<1, 0>();
  TileUnit::add_bf16_products<1, 1>();
}

void int8_step() {
  TileUnit::add_int8_products<0, 0>();
  TileUnit::add_int8_products<0, 1>();
  TileUnit::add_int8_products<1, 0>();
  TileUnit::add_int8_products<1, 1>();
}

template <void (*step)()>
void loop(size_t iterations, void* sink) {
  alignas(64) float tile[16 * 16] = {};
  TileUnit::configure();
  TileUnit::zero_sum<0, 0>();
  TileUnit::zero_sum<0, 1>();
  TileUnit::zero_sum<1, 0>();
  TileUnit::zero_sum<1, 1>();
  TileUnit::load_left<0>(tile);
  TileUnit::load_left<1>(tile);
  TileUnit::load_right<0>(tile);
  TileUnit::load_right<1>(tile);
  for (size_t i = 0; i < iterations; ++i) {
    step();
    step();
    step();
  }
  TileUnit::store_sum<0, 0>(tile, 64);
  TileUnit::release();
  std::memcpy(sink, tile, 64);
}

}  // namespace

const MultiplyAddLoop kBf16Loop = {loop<bf16_step>, 2 * 2 * kProducts* kElements};
const MultiplyAddLoop kBf16x2Loop = {loop<bf16_step>, 2 * 2 * kProducts* kElements / 3};
const MultiplyAddLoop kBf16x3Loop = {loop<bf16_step>, 2 * 2 * kProducts* kElements / 6};
const MultiplyAddLoop kInt8Loop = {loop<int8_step>, 2 * 4 * kProducts* kElements};

}  // namespace bert_native::amx
