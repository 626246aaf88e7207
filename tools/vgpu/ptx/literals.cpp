// Literals and constant expressions: 12, 0x1FU, 017, 0b11, 0f3F800000, 0d..., 1.5e3, -(1 << 4), WARP_SZ.
#include <charconv>
#include <cstring>

#include "ptx/scanner.h"

namespace vgpu::ptx {

namespace {

struct Operator {
  const char* text;
  int precedence;
};
// Longer spellings first: `<<` must not be read as `<`.
constexpr Operator kOperators[] = {{"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7},
                                   {"<<", 8}, {">>", 8}, {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},
                                   {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10}};

Literal of_integer(uint64_t bits) {
  return {false, false, bits};
}

Literal of_double(double value) {
  Literal literal{true, false, 0};
  std::memcpy(&literal.bits, &value, sizeof value);
  return literal;
}

Literal negate(Literal value) {
  if (!value.floating) return of_integer(0 - value.bits);
  value.bits ^= value.single ? 0x8000'0000ull : 0x8000'0000'0000'0000ull;
  return value;
}

uint64_t apply_integer(std::string_view op, int64_t a, int64_t b, const Scanner& scanner) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  if (op == "/" || op == "%") {
    if (b == 0) scanner.fail("a division by zero in a constant expression");
    if (b == -1) return op == "/" ? 0 - ua : 0;
    return static_cast<uint64_t>(op == "/" ? a / b : a % b);
  }
  if (op == "||") return a != 0 || b != 0;
  if (op == "&&") return a != 0 && b != 0;
  if (op == "==") return a == b;
  if (op == "!=") return a != b;
  if (op == "<=") return a <= b;
  if (op == ">=") return a >= b;
  if (op == "<") return a < b;
  if (op == ">") return a > b;
  if (op == "<<") return ub < 64 ? ua << ub : 0;
  if (op == ">>") return static_cast<uint64_t>(a >> (ub < 64 ? ub : 63));
  if (op == "|") return ua | ub;
  if (op == "^") return ua ^ ub;
  if (op == "&") return ua & ub;
  if (op == "+") return ua + ub;
  if (op == "-") return ua - ub;
  return ua * ub;
}

Literal apply(std::string_view op, const Literal& a, const Literal& b, const Scanner& scanner) {
  if (!a.floating && !b.floating)
    return of_integer(apply_integer(op, static_cast<int64_t>(a.bits), static_cast<int64_t>(b.bits), scanner));
  const double x = a.number(), y = b.number();
  if (op == "+") return of_double(x + y);
  if (op == "-") return of_double(x - y);
  if (op == "*") return of_double(x * y);
  if (op == "/") return of_double(x / y);
  scanner.fail("operator " + std::string(op) + " between floating-point constants");
}

}  // namespace

double Literal::number() const {
  if (!floating) return static_cast<double>(static_cast<int64_t>(bits));
  if (single) {
    float value;
    const auto low = static_cast<uint32_t>(bits);
    std::memcpy(&value, &low, sizeof value);
    return static_cast<double>(value);
  }
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

Literal Scanner::hexadecimal_float(char kind) {
  const bool single = kind == 'f' || kind == 'F';
  const size_t digits = single ? 8 : 16;
  Literal literal{true, single, 0};
  const char* begin = text_.data() + position_ + 2;
  const char* end = begin + std::min(digits, text_.size() - position_ - 2);
  if (std::from_chars(begin, end, literal.bits, 16).ptr != begin + digits)
    fail(single ? "0f needs 8 hexadecimal digits" : "0d needs 16 hexadecimal digits");
  position_ += 2 + digits;
  return literal;
}

Literal Scanner::literal() {
  const char first = peek();
  if (first == 'W' && accept_word("WARP_SZ")) return of_integer(32);
  if ((first < '0' || first > '9') && first != '.') fail_expected("a number");
  const char second = peek_behind(1);
  if (first == '0' && (second == 'f' || second == 'F' || second == 'd' || second == 'D'))
    return hexadecimal_float(second);

  const char* begin = text_.data() + position_;
  const char* limit = text_.data() + text_.size();
  const char* digits = begin;
  int base = 10;
  if (first == '0' && (second == 'x' || second == 'X')) base = 16, digits += 2;
  if (first == '0' && (second == 'b' || second == 'B')) base = 2, digits += 2;
  if (first == '0' && second >= '0' && second <= '7') base = 8, digits += 1;

  Literal value = of_integer(0);
  auto result = std::from_chars(digits, limit, value.bits, base);
  const bool fraction =
      result.ptr < limit && (*result.ptr == '.' || *result.ptr == 'e' || *result.ptr == 'E');
  if (fraction && base != 16) {
    double number = 0;
    result = std::from_chars(begin, limit, number);
    value = of_double(number);
  }
  if (result.ec != std::errc() || result.ptr == digits) fail_expected("a number of at most 64 bits");
  position_ = static_cast<size_t>(result.ptr - text_.data());
  if (!value.floating && peek_behind(0) == 'U') ++position_;
  return value;
}

Literal Scanner::unary() {
  if (accept('-')) return negate(unary());
  if (accept('+')) return unary();
  if (accept('~')) return of_integer(~unary().bits);
  if (accept('!')) return of_integer(unary().bits == 0);
  if (accept('(')) {
    if (peek() == '.') {  // a cast: (.s64) or (.u64), both are 64 bits here
      directive();
      expect(')');
      return unary();
    }
    const Literal value = expression();
    expect(')');
    return value;
  }
  return literal();
}

int Scanner::operator_precedence(int* length) {
  const char first = peek();
  if (first == ',' || first == ';' || first == '}' || first == ']' || first == ')') return 0;
  for (const Operator& op : kOperators) {
    if (op.text[0] != first || (op.text[1] != '\0' && op.text[1] != peek_behind(1))) continue;
    *length = op.text[1] == '\0' ? 1 : 2;
    return op.precedence;
  }
  return 0;
}

Literal Scanner::binary(int lowest) {
  Literal left = unary();
  for (;;) {
    int length = 0;
    const int precedence = operator_precedence(&length);
    if (precedence == 0 || precedence < lowest) return left;
    const std::string_view op = slice(position_, position_ + static_cast<size_t>(length));
    position_ += op.size();
    left = apply(op, left, binary(precedence + 1), *this);
  }
}

Literal Scanner::expression() {
  const Literal condition = binary(1);
  if (!accept('?')) return condition;
  const Literal yes = expression();
  expect(':');
  const Literal no = expression();
  return condition.bits != 0 ? yes : no;
}

int64_t Scanner::integer() {
  peek();
  const size_t begin = position_;
  const Literal value = expression();
  if (value.floating) fail_at(begin, "expected an integer, found a floating-point number");
  return static_cast<int64_t>(value.bits);
}

}  // namespace vgpu::ptx
