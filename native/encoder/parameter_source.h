#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/dtypes.h"
#include "common/file.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// A tensor inside a file, checked by the reader of that format. offset of element (i,j,…) from byte_offset:
// (i·strides[0] + j·strides[1] + …) · size_bytes(dtype).
struct FileSpan {
  std::string path;
  FileIdentity identity;  // what the file was when its header was read
  uint64_t byte_offset = 0;
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> strides;  // in elements, one per dimension
};

// Values of N(0, std²), the same on every machine: see normal_values(). zero_row ≥ 0 names a row of zeros (the padding
// token's embedding).
struct NormalInit {
  uint64_t seed = 0;
  double std = 0;
  int64_t zero_row = -1;
};

struct ConstantInit {
  float value = 0;
};

struct ParameterSource {
  std::vector<size_t> shape;
  std::variant<FileSpan, NormalInit, ConstantInit, std::vector<float>> values;
};

using ParameterSources = std::map<std::string, ParameterSource>;

// Reads parameters as f32, part by part, so that loading never holds more than one block besides its result.
// Files stay open from the first read to finish(), which compares each file's identity with its spans' and throws kIo
// if one was rewritten meanwhile. Not thread-safe.
class ParameterReader {
 public:
  ParameterReader(const ParameterSources& sources, const KernelTable& kernels);
  ~ParameterReader();

  // rows [row_begin, row_end) of the parameter viewed as [shape[0], rest], row-major into out. A vector counts as
  // [size, 1].
  void read_rows(const std::string& name, size_t row_begin, size_t row_end, float* out);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// out[i] = std · z(seed, first + i), where z is a standard normal number from Philox4x32-10 (Salmon et al. 2011) through
// Wichura's PPND16 (1988). Uses only operations that IEEE 754 rounds exactly, so lib/engines/random.ts gives the same bits.
void normal_values(float* out, size_t count, uint64_t seed, uint64_t first, double std);

}  // namespace bert_native
