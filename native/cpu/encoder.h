#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common/thread_pool.h"
#include "cpu/block_pass.h"
#include "cpu/weights.h"
#include "encoder/batch.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// An encoder with its packed weights, ready to run on the CPU. Immutable after load(): run_block() may run on several
// threads at once, each call with its own workspace and pool.
class CpuEncoder {
 public:
  // Reads and packs every parameter, then lets go of the canonical tensors. `sources` must hold exactly
  // encoder_parameters(specification), with those shapes: kWeightMissing, kWeightShape otherwise. `type` says how the
  // large matrices are kept; tables of embeddings are kept in 16 bits where those are in 16 or fewer.
  static std::unique_ptr<CpuEncoder> load(const EncoderSpecification& specification, const ParameterSources& sources,
                                          MatrixType type, const KernelTable& kernels, ThreadPool& pool,
                                          const LoadControl& control = {});
  ~CpuEncoder();

  // Runs sequences that check_batch() has seen through all layers and fills the outputs they name. The workspace grows
  // to 4·(H + 3·A·D) bytes for each row, 4·H more where there is a convolution, and some MiB for each thread (H
  // hidden_size, A·D width of attention). Throws kAborted soon after `control` says that the block is abandoned;
  // kMemory.
  void run_block(const std::vector<const Sequence*>& sequences, ThreadPool& pool, PassControl& control,
                 Workspace& workspace) const;

  // The parameter's values, row-major, as they are kept: exact for kF32. out holds the product of its shape.
  void read_parameter(const std::string& name, float* out) const;

  const EncoderSpecification& specification() const;
  size_t weights_size_bytes() const;

 private:
  struct State;
  explicit CpuEncoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bert_native
