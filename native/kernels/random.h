#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bert_native {

// Philox4x32-10, a counter-based generator: four random words per counter.   Salmon et al. 2011, "Parallel random
// numbers: as easy as 1, 2, 3", table 2
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// out[i] = std · z(seed, first + i), where z is a standard normal number: word n mod 4 of the counter n / 4 becomes
// u = (word + ½) 2⁻³², and z is the quantile of u by Wichura's PPND16 (1988). Uses only operations that IEEE 754 rounds
// exactly, so lib/engines/random.ts gives the same bits. The scalar twin of KernelTable::normal_f32.
void normal_values(float* out, size_t count, uint64_t seed, uint64_t first, double std);

}  // namespace bert_native
