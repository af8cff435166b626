#include "encoder/parameter_source.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "common/errors.h"

namespace bert_native {

static_assert(std::endian::native == std::endian::little, "checkpoints store little-endian numbers");

namespace {

// One read of elements that are to be converted brings at most this much, which stays in the second-level cache.
constexpr size_t kStagingBytes = size_t{512} << 10;
// Elements converted at a time: a line of a view passes through buffers that stay in the cache.
constexpr size_t kLineElements = 4096;
// Where the elements wanted leave gaps, up to this many bytes are read and dropped to save a read.
constexpr uint64_t kGapBytes = 4096;

size_t product(const std::vector<size_t>& shape) {
  size_t count = 1;
  for (const size_t size : shape) {
    if (size != 0 && count > std::numeric_limits<size_t>::max() / size) {
      throw Error(ErrorCode::kWeightShape, "a shape overflows the address space");
    }
    count *= size;
  }
  return count;
}

// Elements for each index of the first dimension.
size_t row_size(const std::vector<size_t>& shape) {
  size_t size = 1;
  for (size_t i = 1; i < shape.size(); ++i) size *= shape[i];
  return size;
}

// a · b + c, or the largest number if that overflows.
uint64_t saturating_multiply_add(uint64_t a, uint64_t b, uint64_t c) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  return a != 0 && b > (kMax - c) / a ? kMax : a * b + c;
}

void check_span(const std::string& name, const std::vector<size_t>& shape, const FileSpan& span) {
  if (span.strides.size() != shape.size()) {
    throw Error(ErrorCode::kFileFormat, "parameter '" + name + "' has " + std::to_string(shape.size()) +
                                            " dimensions but " + std::to_string(span.strides.size()) + " strides");
  }
  uint64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return;
    last = saturating_multiply_add(shape[i] - 1, span.strides[i], last);
  }
  const uint64_t size = size_bytes(span.dtype);
  const uint64_t end = saturating_multiply_add(last, size, size);
  const uint64_t available = span.identity.size_bytes;
  if (span.byte_offset > available || end > available - span.byte_offset) {
    throw Error(ErrorCode::kFileFormat, "parameter '" + name + "' needs bytes from " +
                                            std::to_string(span.byte_offset) + " to beyond the end of '" + span.path +
                                            "' (" + std::to_string(available) + " bytes)");
  }
}

void check_source(const std::string& name, const ParameterSource& source) {
  if (source.shape.empty() || source.shape.size() > 3) {
    throw Error(ErrorCode::kWeightShape, "parameter '" + name + "' has " + std::to_string(source.shape.size()) +
                                             " dimensions: expected one to three");
  }
  const size_t count = product(source.shape);
  if (const auto* span = std::get_if<FileSpan>(&source.values)) check_span(name, source.shape, *span);
  if (const auto* values = std::get_if<std::vector<float>>(&source.values); values && values->size() != count) {
    throw Error(ErrorCode::kWeightShape, "parameter '" + name + "' has " + std::to_string(values->size()) +
                                             " values: its shape wants " + std::to_string(count));
  }
}

// One dimension of a view: steps between neighbours in the file and in the result, in elements.
struct Axis {
  size_t count;
  uint64_t stride;
  size_t out_stride;
};

template <typename Element>
void gather(void* out, const unsigned char* first, size_t count, uint64_t stride) {
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(static_cast<Element*>(out) + i, first + i * stride * sizeof(Element), sizeof(Element));
  }
}

// Turns bytes of a file into f32 in the order that is asked for.
class SpanReader {
 public:
  SpanReader(const File& file, Dtype dtype, const KernelTable& kernels, unsigned char* staging)
      : file_(file), dtype_(dtype), size_(size_bytes(dtype)), kernels_(kernels), staging_(staging) {}

  // out[i · a.out_stride + j · b.out_stride] = the element i · a.stride + j · b.stride behind byte_offset.
  void read(uint64_t byte_offset, Axis a, Axis b, float* out) {
    if (a.count == 0 || b.count == 0) return;
    Axis major = a, minor = b;
    if (major.count > 1 && (minor.count == 1 || major.stride < minor.stride)) std::swap(major, minor);
    const bool one_run = major.count == 1 || (major.stride == minor.stride * minor.count &&
                                              major.out_stride == minor.out_stride * minor.count);
    if (one_run) {
      minor.count *= major.count;
      major.count = 1;
    }
    const size_t staged = kStagingBytes / size_;
    // Elements from the first to the last of a piece of the minor axis fit into the staging buffer.
    const uint64_t step = std::max<uint64_t>(1, minor.stride);
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(minor.count, (staged - 1) / step + 1));
    for (size_t j = 0; j < minor.count; j += piece) {
      Axis part = minor;
      part.count = std::min(piece, minor.count - j);
      read_lines(byte_offset + j * minor.stride * size_, major, part, out + j * minor.out_stride);
    }
  }

 private:
  // Every line (one index of the major axis) fits into the staging buffer, and as many as fit come in one read where
  // little lies between them.
  void read_lines(uint64_t byte_offset, const Axis& major, const Axis& minor, float* out) {
    const uint64_t line = (minor.count - 1) * minor.stride + 1;
    if (dtype_ == Dtype::kF32 && minor.stride == 1 && minor.out_stride == 1 && major.count == 1) {
      file_.read(byte_offset, out, minor.count * size_);
      return;
    }
    uint64_t lines = 1;
    if (major.stride <= line + kGapBytes / size_) {
      lines += (kStagingBytes / size_ - line) / std::max<uint64_t>(1, major.stride);
    }
    for (size_t i = 0; i < major.count; i += lines) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(lines, major.count - i));
      file_.read(byte_offset + i * major.stride * size_, staging_, ((count - 1) * major.stride + line) * size_);
      for (size_t n = 0; n < count; ++n) {
        convert_line(staging_ + n * major.stride * size_, minor, out + (i + n) * major.out_stride);
      }
    }
  }

  void convert_line(const unsigned char* first, const Axis& axis, float* out) {
    for (size_t begin = 0; begin < axis.count; begin += kLineElements) {
      const size_t count = std::min(kLineElements, axis.count - begin);
      const void* stored = first + begin * axis.stride * size_;
      if (axis.stride != 1) {
        gather_elements(static_cast<const unsigned char*>(stored), count, axis.stride);
        stored = gathered_;
      }
      if (axis.out_stride == 1) {
        convert(out + begin, stored, count);
        continue;
      }
      convert(line_, stored, count);
      for (size_t i = 0; i < count; ++i) out[(begin + i) * axis.out_stride] = line_[i];
    }
  }

  void gather_elements(const unsigned char* first, size_t count, uint64_t stride) {
    switch (size_) {
      case 2:
        return gather<uint16_t>(gathered_, first, count, stride);
      case 4:
        return gather<uint32_t>(gathered_, first, count, stride);
      default:
        return gather<uint64_t>(gathered_, first, count, stride);
    }
  }

  void convert(float* out, const void* stored, size_t count) const {
    switch (dtype_) {
      case Dtype::kF32:
        std::memcpy(out, stored, count * sizeof(float));
        return;
      case Dtype::kF16:
        return kernels_.f16_to_f32(out, static_cast<const uint16_t*>(stored), count);
      case Dtype::kBF16:
        return kernels_.bf16_to_f32(out, static_cast<const uint16_t*>(stored), count);
      case Dtype::kF64:
        return kernels_.f64_to_f32(out, static_cast<const double*>(stored), count);
    }
  }

  const File& file_;
  Dtype dtype_;
  size_t size_;
  const KernelTable& kernels_;
  unsigned char* staging_;
  uint64_t gathered_[kLineElements];
  float line_[kLineElements];
};

void read_normal(const NormalInit& init, size_t columns, size_t row_begin, size_t row_end, float* out,
                 const KernelTable& kernels) {
  kernels.normal_f32(out, (row_end - row_begin) * columns, init.seed, static_cast<uint64_t>(row_begin) * columns,
                     init.std);
  if (init.zero_row < 0) return;
  const auto zero_row = static_cast<uint64_t>(init.zero_row);
  if (row_begin <= zero_row && zero_row < row_end) std::fill_n(out + (zero_row - row_begin) * columns, columns, 0.0f);
}

}  // namespace

ParameterReader::ParameterReader(const ParameterSources& sources, const KernelTable& kernels)
    : sources_(sources), kernels_(kernels) {
  for (const auto& [name, source] : sources) check_source(name, source);
  for (const auto& [name, source] : sources) {
    if (const auto* span = std::get_if<FileSpan>(&source.values)) open(name, *span);
  }
}

ParameterReader::~ParameterReader() = default;

void ParameterReader::open(const std::string& name, const FileSpan& span) {
  auto found = files_.find(span.path);
  if (found == files_.end()) {
    File file(span.path);
    const FileIdentity identity = file.identity();
    found = files_.emplace(span.path, OpenFile{std::move(file), identity}).first;
  }
  const FileIdentity& now = found->second.identity;
  if (now == span.identity) return;
  const uint64_t size_now = now.size_bytes, size_then = span.identity.size_bytes;
  throw Error(ErrorCode::kIo,
              "'" + span.path + "' was changed or replaced after its header was read, before parameter '" + name +
                  "' could be loaded" +
                  (size_now == size_then
                       ? std::string()
                       : ": " + std::to_string(size_now) + " bytes now, " + std::to_string(size_then) + " bytes then"));
}

void ParameterReader::read_span(const ParameterSource& source, const FileSpan& span, size_t row_begin, size_t row_end,
                                float* out, ReadScratch& scratch) const {
  const std::vector<size_t>& shape = source.shape;
  const std::vector<uint64_t>& strides = span.strides;
  const size_t columns = row_size(shape);
  const Axis rows{row_end - row_begin, strides[0], columns};
  const uint64_t first = span.byte_offset + row_begin * strides[0] * size_bytes(span.dtype);
  scratch.staging.reserve(kStagingBytes);
  SpanReader reader(files_.at(span.path).file, span.dtype, kernels_, scratch.staging.data());
  if (shape.size() < 3 || strides[1] == strides[2] * shape[2]) {
    reader.read(first, rows, {columns, strides.size() > 1 ? strides.back() : 1, 1}, out);
    return;
  }
  for (size_t i = 0; i < shape[2]; ++i) {
    reader.read(first + i * strides[2] * size_bytes(span.dtype), rows, {shape[1], strides[1], shape[2]}, out + i);
  }
}

void ParameterReader::read_rows(const std::string& name, size_t row_begin, size_t row_end, float* out,
                                ReadScratch& scratch) const {
  const auto found = sources_.find(name);
  if (found == sources_.end()) {
    throw Error(ErrorCode::kWeightMissing, "there is no source for parameter '" + name + "'");
  }
  const ParameterSource& source = found->second;
  if (row_begin > row_end || row_end > source.shape[0]) {
    throw Error(ErrorCode::kShape, "parameter '" + name + "' has " + std::to_string(source.shape[0]) +
                                       " rows: cannot read " + std::to_string(row_begin) + " to " +
                                       std::to_string(row_end));
  }
  const size_t columns = row_size(source.shape);
  const size_t count = (row_end - row_begin) * columns;
  if (count == 0) return;
  if (const auto* span = std::get_if<FileSpan>(&source.values)) {
    read_span(source, *span, row_begin, row_end, out, scratch);
  } else if (const auto* normal = std::get_if<NormalInit>(&source.values)) {
    read_normal(*normal, columns, row_begin, row_end, out, kernels_);
  } else if (const auto* constant = std::get_if<ConstantInit>(&source.values)) {
    std::fill_n(out, count, constant->value);
  } else {
    const auto& values = std::get<std::vector<float>>(source.values);
    std::copy_n(values.data() + row_begin * columns, count, out);
  }
}

void ParameterReader::finish() {
  for (const auto& [path, opened] : files_) {
    if (opened.file.identity() != opened.identity) {
      throw Error(ErrorCode::kIo, "'" + path + "' was rewritten while its parameters were loaded");
    }
  }
  files_.clear();
}

}  // namespace bert_native
