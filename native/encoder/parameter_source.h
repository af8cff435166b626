#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/aligned_buffer.h"
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

// Values of N(0, std²), the same on every machine: see normal_values() in kernels/random.h. zero_row ≥ 0 names a row of
// zeros (the padding token's embedding).
struct NormalInit {
  uint64_t seed = 0;
  double std = 0;
  int64_t zero_row = -1;
};

struct ConstantInit {
  float value = 0;
};

struct ParameterSource {
  std::vector<size_t> shape;  // a vector, a matrix, or the kernels of a convolution: three dimensions
  std::variant<FileSpan, NormalInit, ConstantInit, std::vector<float>> values;
};

using ParameterSources = std::map<std::string, ParameterSource>;

// Memory that one thread reads with, kept from one read to the next.
struct ReadScratch {
  AlignedBuffer<unsigned char> staging;
};

// Reads parameters as f32, part by part, so that loading never holds more than its result and one ReadScratch for each
// thread. Files are open from the constructor to finish(). `sources` and `kernels` outlive the reader.
class ParameterReader {
 public:
  // Throws kWeightShape where a source has no dimension or more than three, or its values do not fit its shape;
  // kFileFormat where a span leaves its file; kIo where a file does not open or is not the one whose header was read.
  ParameterReader(const ParameterSources& sources, const KernelTable& kernels);
  ~ParameterReader();

  // Rows [row_begin, row_end) of a matrix (indices of the first dimension), or elements of a vector, row-major into
  // out. Callable from several threads, each with a scratch of its own.
  // Throws kWeightMissing for an unknown name, kShape for rows that do not exist; kIo where reading fails; kMemory.
  void read_rows(const std::string& name, size_t row_begin, size_t row_end, float* out, ReadScratch& scratch) const;

  // Throws kIo if a file was rewritten since it was opened, so that what was read may be a mixture. Closes the files:
  // nothing is read afterwards.
  void finish();

 private:
  struct OpenFile {
    File file;
    FileIdentity identity;
  };
  void open(const std::string& name, const FileSpan& span);
  void read_span(const ParameterSource& source, const FileSpan& span, size_t row_begin, size_t row_end, float* out,
                 ReadScratch& scratch) const;

  const ParameterSources& sources_;
  const KernelTable& kernels_;
  std::map<std::string, OpenFile> files_;  // by path
};

}  // namespace bert_native
