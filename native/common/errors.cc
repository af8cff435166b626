#include "common/errors.h"

#include <new>

namespace bert_native {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOption:
      return "ERR_OPTION";
    case ErrorCode::kShape:
      return "ERR_SHAPE";
    case ErrorCode::kTokenId:
      return "ERR_TOKEN_ID";
    case ErrorCode::kSequenceTooLong:
      return "ERR_SEQUENCE_TOO_LONG";
    case ErrorCode::kTruncation:
      return "ERR_TRUNCATION";
    case ErrorCode::kWeightMissing:
      return "ERR_WEIGHT_MISSING";
    case ErrorCode::kWeightShape:
      return "ERR_WEIGHT_SHAPE";
    case ErrorCode::kConfig:
      return "ERR_CONFIG";
    case ErrorCode::kFileFormat:
      return "ERR_FILE_FORMAT";
    case ErrorCode::kUnsupportedModel:
      return "ERR_UNSUPPORTED_MODEL";
    case ErrorCode::kDevice:
      return "ERR_DEVICE";
    case ErrorCode::kEngine:
      return "ERR_ENGINE";
    case ErrorCode::kMemory:
      return "ERR_MEMORY";
    case ErrorCode::kQueueFull:
      return "ERR_QUEUE_FULL";
    case ErrorCode::kDisposed:
      return "ERR_DISPOSED";
    case ErrorCode::kAborted:
      return "ERR_ABORTED";
    case ErrorCode::kIo:
      return "ERR_IO";
  }
  return "ERR_ADDON";
}

bool is_out_of_memory(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.code() == ErrorCode::kMemory;
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace bert_native
