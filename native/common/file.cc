#include "common/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/errors.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace bert_native {

#if defined(_WIN32)

namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path) {
  throw Error(ErrorCode::kIo, action + " '" + path + "' failed: Windows error " + std::to_string(GetLastError()));
}

std::wstring to_wide(const std::string& utf8) {
  const int length = MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), nullptr, 0);
  std::wstring wide(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), wide.data(), length);
  return wide;
}

}  // namespace

File::File(const std::string& path_utf8) : path_(path_utf8) {
  handle_ =
      CreateFileW(to_wide(path_utf8).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                  nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle_ == INVALID_HANDLE_VALUE) {
    handle_ = nullptr;
    fail("opening", path_);
  }
}

File::~File() {
  if (handle_ != nullptr) CloseHandle(handle_);
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, nullptr)) {}

void File::read(uint64_t offset, void* out, size_t size) const {
  char* target = static_cast<char*>(out);
  while (size > 0) {
    OVERLAPPED position{};
    position.Offset = static_cast<DWORD>(offset);
    position.OffsetHigh = static_cast<DWORD>(offset >> 32);
    const DWORD wanted = static_cast<DWORD>(std::min<size_t>(size, size_t{1} << 30));
    DWORD got = 0;
    if (!ReadFile(handle_, target, wanted, &got, &position) && GetLastError() != ERROR_HANDLE_EOF) {
      fail("reading", path_);
    }
    if (got == 0) throw Error(ErrorCode::kIo, "'" + path_ + "' ended before the bytes its header promised");
    target += got;
    offset += got;
    size -= got;
  }
}

FileIdentity File::identity() const {
  BY_HANDLE_FILE_INFORMATION info;
  if (!GetFileInformationByHandle(handle_, &info)) fail("examining", path_);
  const uint64_t ticks =  // 100 ns since 1601; 11644473600 s lie between that and 1970
      (static_cast<uint64_t>(info.ftLastWriteTime.dwHighDateTime) << 32) | info.ftLastWriteTime.dwLowDateTime;
  FileIdentity identity;
  identity.device = info.dwVolumeSerialNumber;
  identity.inode = (static_cast<uint64_t>(info.nFileIndexHigh) << 32) | info.nFileIndexLow;
  identity.size_bytes = (static_cast<uint64_t>(info.nFileSizeHigh) << 32) | info.nFileSizeLow;
  identity.modified_ns = (static_cast<int64_t>(ticks) - 116444736000000000LL) * 100;
  return identity;
}

#else

namespace {

[[noreturn]] void fail(const std::string& action, const std::string& path) {
  throw Error(ErrorCode::kIo, action + " '" + path + "' failed: " + std::strerror(errno));
}

int64_t nanoseconds(const timespec& time) { return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec; }

}  // namespace

File::File(const std::string& path_utf8) : path_(path_utf8) {
  do {
    descriptor_ = ::open(path_utf8.c_str(), O_RDONLY | O_CLOEXEC);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail("opening", path_);
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

void File::read(uint64_t offset, void* out, size_t size) const {
  char* target = static_cast<char*>(out);
  while (size > 0) {
    // One call moves at most about 2 GiB on Linux and fails beyond that on macOS.
    const ssize_t got =
        ::pread(descriptor_, target, std::min<size_t>(size, size_t{1} << 30), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      fail("reading", path_);
    }
    if (got == 0) throw Error(ErrorCode::kIo, "'" + path_ + "' ended before the bytes its header promised");
    target += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
}

FileIdentity File::identity() const {
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) fail("examining", path_);
  FileIdentity identity;
  identity.device = static_cast<uint64_t>(status.st_dev);
  identity.inode = static_cast<uint64_t>(status.st_ino);
  identity.size_bytes = static_cast<uint64_t>(status.st_size);
#if defined(__APPLE__)
  identity.modified_ns = nanoseconds(status.st_mtimespec);
  identity.changed_ns = nanoseconds(status.st_ctimespec);
#else
  identity.modified_ns = nanoseconds(status.st_mtim);
  identity.changed_ns = nanoseconds(status.st_ctim);
#endif
  return identity;
}

#endif

}  // namespace bert_native
