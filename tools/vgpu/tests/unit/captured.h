// What a test prints to standard output or standard error, reports included.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace vgpu::test {

// What a file descriptor receives while the object lives.
class Captured {
 public:
  explicit Captured(int descriptor) : descriptor_(descriptor), file_(std::tmpfile()) {
    std::fflush(nullptr);
    saved_ = dup(descriptor);
    dup2(fileno(file_), descriptor);
  }
  ~Captured() {
    restore();
    std::fclose(file_);
  }
  std::string text() {
    restore();
    std::string all;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) all += static_cast<char>(c);
    return all;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    std::fflush(nullptr);
    dup2(saved_, descriptor_);
    close(saved_);
    saved_ = -1;
  }
  int descriptor_, saved_ = -1;
  std::FILE* file_;
};

}  // namespace vgpu::test
