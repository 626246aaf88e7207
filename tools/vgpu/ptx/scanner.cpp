// Names, directives and white space of PTX; literals and constant expressions are in literals.cpp.
#include "ptx/scanner.h"

#include <algorithm>

namespace vgpu::ptx {

namespace {

enum CharacterClass : uint8_t { kStart = 1, kContinue = 2, kBlank = 4, kDirective = 8 };

struct CharacterTable {
  uint8_t of[256] = {};
  constexpr CharacterTable() {
    for (int c = 'a'; c <= 'z'; ++c) of[c] = of[c - 32] = kStart | kContinue | kDirective;
    for (int c = '0'; c <= '9'; ++c) of[c] = kContinue | kDirective;
    of[int{'_'}] = kStart | kContinue | kDirective;
    of[int{'$'}] = kStart | kContinue;
    of[int{'%'}] = kStart;
    of[int{':'}] = kDirective;
    for (char c : {' ', '\t', '\n', '\r', '\v', '\f'}) of[int{c}] = kBlank;
  }
};
constexpr CharacterTable kCharacters;

bool is(char c, CharacterClass which) {
  return (kCharacters.of[static_cast<uint8_t>(c)] & which) != 0;
}

}  // namespace

bool Scanner::starts_name(char c) {
  return is(c, kStart);
}
bool Scanner::continues_name(char c) {
  return is(c, kContinue);
}

void Scanner::skip() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (is(c, kBlank)) {
      ++position_;
    } else if (c == '/' && peek_behind(1) == '/') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else if (c == '/' && peek_behind(1) == '*') {
      const size_t end = text_.find("*/", position_ + 2);
      if (end == std::string_view::npos) fail("a comment without its end");
      position_ = end + 2;
    } else {
      return;
    }
  }
}

bool Scanner::accept(char c) {
  if (peek() != c) return false;
  ++position_;
  return true;
}

bool Scanner::accept_word(std::string_view word) {
  peek();
  if (text_.compare(position_, word.size(), word) != 0 || continues_name(peek_behind(word.size())))
    return false;
  position_ += word.size();
  return true;
}

void Scanner::expect(char c) {
  if (!accept(c)) fail_expected(std::string("'") + c + "'");
}

std::string_view Scanner::name(const char* expected) {
  if (!starts_name(peek())) fail_expected(expected);
  const size_t begin = position_++;
  while (position_ < text_.size() && continues_name(text_[position_])) ++position_;
  return slice(begin, position_);
}

std::string_view Scanner::directive() {
  if (peek() != '.') fail_expected("a directive");
  const size_t begin = ++position_;
  // A single colon ends a label; only a double one belongs to a modifier.
  while (position_ < text_.size() && is(text_[position_], kDirective)) {
    if (text_[position_] == ':') {
      if (peek_behind(1) != ':') break;
      ++position_;
    }
    ++position_;
  }
  if (position_ == begin) fail_expected("a name behind '.'");
  return slice(begin, position_);
}

std::string_view Scanner::quoted() {
  if (peek() != '"') fail_expected("a string in quotes");
  const size_t begin = ++position_;
  while (position_ < text_.size() && text_[position_] != '"') position_ += text_[position_] == '\\' ? 2 : 1;
  if (position_ >= text_.size()) fail_at(begin, "a string without its end");
  return slice(begin, position_++);
}

void Scanner::skip_balanced() {
  const size_t begin = position_;
  int depth = 0;
  do {
    const char c = peek();
    if (c == '\0') fail_at(begin, "a bracket without its partner");
    if (c == '"') {
      quoted();
      continue;
    }
    depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
    ++position_;
  } while (depth > 0);
}

void Scanner::fail_at(size_t position, const std::string& what) const {
  const size_t end = std::min(position, text_.size());
  const auto newlines = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(end), '\n');
  throw SyntaxError{static_cast<int>(newlines) + 1, what};
}

void Scanner::fail_expected(const std::string& what) {
  if (peek() == '\0') fail("expected " + what + ", found the end of the text");
  const size_t end = std::min(text_.find_first_of("\n;", position_), position_ + 24);
  fail("expected " + what + ", found `" + std::string(slice(position_, std::min(end, text_.size()))) + "`");
}

}  // namespace vgpu::ptx
