#pragma once

#include <vector>

#include "common/thread_pool.h"
#include "cpu/encoder.h"
#include "cpu/requests.h"
#include "encoder/batch.h"

// What every encoder has to keep.

namespace bert_native::test {

// Checks the sequences, then runs them block by block in one workspace, as the scheduler does.
void run(const CpuEncoder& encoder, const std::vector<Sequence>& sequences, ThreadPool& pool, PassControl& control);
void run(const CpuEncoder& encoder, std::vector<Request>& requests, const OutputOptions& options, ThreadPool& pool,
         const Request::Wanted& wanted = {});

// Every output, within 2e-5 of what the reference encoder makes of the same request; of one request in `every`.
void agree_with_reference(const Setup& setup, const Model& model, const OutputOptions& options = {}, size_t every = 1);

// A sequence's results are the same bits alone, among others, in any order and on any number of threads.
void same_bits_in_any_company(const Setup& setup, const Model& model,
                              const std::vector<size_t>& lengths = {1, 3, 16, 31, 50, 64});

// A result does not depend on what else is asked for, nor on whether masked positions are computed.
void same_bits_whatever_is_wanted(const Setup& setup, const Model& model);

// Parameters come back as they were stored, from files of every type, row-major or not.
void gives_parameters_back(const Setup& setup, const EncoderSpecification& specification);

}  // namespace bert_native::test
