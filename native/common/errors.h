#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace bert_native {

// What went wrong, as JavaScript sees it in `error.code`. error_code_name() gives the string.
enum class ErrorCode {
  kOption,            // an argument or option is unknown, of the wrong type or out of its range
  kShape,             // lengths or dimensions do not fit together
  kTokenId,           // an id is outside the vocabulary
  kSequenceTooLong,   // more positions than the model has
  kTruncation,        // a pair cannot be cut to max_length by the strategy asked for
  kWeightMissing,     // a parameter of the model is not in the checkpoint
  kWeightShape,       // a parameter has another shape than the configuration says
  kConfig,            // a configuration that describes no model
  kFileFormat,        // a file that does not follow its format
  kUnsupportedModel,  // a model that cannot be run
  kDevice,            // the machine lacks what was asked for
  kEngine,            // the engine asked for is not installed, or cannot be used here
  kMemory,            // an allocation failed
  kQueueFull,         // more work would wait than allowed
  kDisposed,          // the model was disposed
  kAborted,           // the caller aborted
  kIo,                // reading or writing failed, or a file changed while it was read
};

const char* error_code_name(ErrorCode code);

// The one exception type of the native code. binding/ turns it into JavaScript's BertNativeError.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// Whether it is kMemory or std::bad_alloc.
bool is_out_of_memory(const std::exception_ptr& failure);

}  // namespace bert_native
