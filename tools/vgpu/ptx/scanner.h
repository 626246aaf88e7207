// Characters of a PTX text into the smallest pieces the parser asks for: names, directives, literals.
//
// There is no token list: PTX tells its tokens apart by their first character, so the parser asks for what
// may come next and a text of some megabytes is read once, without allocation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ptx/module.h"

namespace vgpu::ptx {

struct Literal {
  bool floating = false;
  bool single = false;  // 0f...: `bits` are those of a float
  uint64_t bits = 0;
  double number() const;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // The next character that is neither white space nor comment, 0 at the end.
  char peek() {
    skip();
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  char peek_behind(size_t distance) const {  // the character so far behind the one that peek() saw
    return position_ + distance < text_.size() ? text_[position_ + distance] : '\0';
  }
  bool at_end() { return peek() == '\0'; }
  bool at_name() { return starts_name(peek()); }
  bool accept(char c);
  bool accept_word(std::string_view word);  // a whole name, or a directive with its dot
  void expect(char c);
  // A name: letters, digits, _ and $ behind a first letter, _, $ or %.
  std::string_view name(const char* expected = "a name");
  // ".global" or ".shared::cta" without its dot; a directive must be next.
  std::string_view directive();
  std::string_view quoted();
  // One literal without sign, or WARP_SZ.
  Literal literal();
  // A constant expression: literals, parentheses, unary and binary operators, ?:.
  Literal expression();
  int64_t integer();     // an expression that must be an integer
  void skip_balanced();  // from an opening ( [ or { to behind its partner

  size_t position() const { return position_; }
  void set_position(size_t position) { position_ = position; }
  std::string_view slice(size_t begin, size_t end) const { return text_.substr(begin, end - begin); }
  [[noreturn]] void fail(const std::string& what) const { fail_at(position_, what); }
  [[noreturn]] void fail_at(size_t position, const std::string& what) const;
  [[noreturn]] void fail_expected(const std::string& what);

  static bool starts_name(char c);
  static bool continues_name(char c);

 private:
  void skip();
  Literal unary();
  Literal binary(int lowest);
  Literal hexadecimal_float(char kind);
  int operator_precedence(int* length);

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace vgpu::ptx
