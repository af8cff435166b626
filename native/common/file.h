#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace bert_native {

// What a file was when its header was read: a change in any of these means that spans into it are no longer valid.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;  // of the inode: copying with preserved times does not bring it along. 0 on Windows.

  bool operator==(const FileIdentity&) const = default;
};

// A file open for positioned reads; nothing is mapped. Every failure throws kIo with the path.
class File {
 public:
  explicit File(const std::string& path_utf8);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  // Reads exactly `size` bytes at `offset`; a file that ends earlier is an error. Callable from several threads.
  void read(uint64_t offset, void* out, size_t size) const;
  FileIdentity identity() const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
#if defined(_WIN32)
  void* handle_ = nullptr;
#else
  int descriptor_ = -1;
#endif
};

}  // namespace bert_native
