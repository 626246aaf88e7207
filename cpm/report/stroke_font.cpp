// Letters on a grid: a point is two characters, x from 0 to 4 and y above the baseline, 'a' and 'b' below it;
// blanks lift the pen. Capitals are six units high, small letters four. A line of one point is a dot.
#include "cpm/report/stroke_font.h"

#include <algorithm>
#include <string_view>

namespace cpm {
namespace {

constexpr double kUnitX = 0.1, kUnitY = 0.12;  // of the font size
constexpr double kGap = 1.9;                   // between letters, in x units
constexpr double kBlank = 2.6;
constexpr double kRaisedSize = 0.62, kRaisedBy = 3.4;  // superscripts, the latter in y units

struct Glyph {
  char32_t code;
  std::string_view strokes;
};

constexpr Glyph kGlyphs[] = {
    {U'0', "102031352616050110"},
    {U'1', "142620 1030"},
    {U'2', "05163645440040"},
    {U'3', "05163645443313 334241301001"},
    {U'4', "30360242"},
    {U'5', "460603334241301001"},
    {U'6', "453616050110304142331302"},
    {U'7', "064610"},
    {U'8', "13040516364544331302011030414233"},
    {U'9', "443313040516364541301001"},
    {U'A', "002640 1232"},
    {U'B', "00063645443303 3342413000"},
    {U'C', "4536160501103041"},
    {U'D', "00062644422000"},
    {U'E', "46060040 0333"},
    {U'F', "460600 0333"},
    {U'G', "45361605011030414323"},
    {U'H', "0006 4046 0343"},
    {U'I', "0006"},
    {U'J', "4641301001"},
    {U'K', "0006 4602 1340"},
    {U'L', "060040"},
    {U'M', "0006234640"},
    {U'N', "00064046"},
    {U'O', "103041453616050110"},
    {U'P', "00063645443303"},
    {U'Q', "103041453616050110 2240"},
    {U'R', "00063645443303 2340"},
    {U'S', "453616050413334241301001"},
    {U'T', "0646 2620"},
    {U'U', "060110304146"},
    {U'V', "062046"},
    {U'W', "0610233046"},
    {U'X', "0046 0640"},
    {U'Y', "062346 2320"},
    {U'Z', "06460040"},
    {U'a', "4440 4334140301103041"},
    {U'b', "0600 0314344341301001"},
    {U'c', "4334140301103041"},
    {U'd', "4640 4334140301103041"},
    {U'e', "02424334140301103041"},
    {U'f', "36261510 0434"},
    {U'g', "444a3b1b0a 4334140301103041"},
    {U'h', "0600 0314344340"},
    {U'i', "0400 06"},
    {U'j', "141a0b 16"},
    {U'k', "0600 3401 1230"},
    {U'l', "0600"},
    {U'm', "0400 03142320 23344340"},
    {U'n', "0400 0314344340"},
    {U'o', "103041433414030110"},
    {U'p', "040b 0314344341301001"},
    {U'q', "444b 4334140301103041"},
    {U'r', "0400 031424"},
    {U's', "43341403123241301001"},
    {U't', "16112030 0434"},
    {U'u', "0401103041 4440"},
    {U'v', "042044"},
    {U'w', "0410233044"},
    {U'x', "0044 0440"},
    {U'y', "0420 441b"},
    {U'z', "04440040"},
    {U'.', "00"},
    {U',', "100a"},
    {U':', "00 03"},
    {U';', "100a 13"},
    {U'!', "0602 00"},
    {U'?', "05163645442322 20"},
    {U'-', "0232"},
    {U'_', "0a4a"},
    {U'+', "0343 2125"},
    {U'=', "0242 0444"},
    {U'<', "440240"},
    {U'>', "044200"},
    {U'/', "0046"},
    {U'\\', "0640"},
    {U'|', "060b"},
    {U'(', "1705021a"},
    {U')', "0715120a"},
    {U'[', "17070a1a"},
    {U']', "07171a0a"},
    {U'{', "27161403121027"},
    {U'}', "07161423121000"},
    {U'\'', "0605"},
    {U'"', "0605 2625"},
    {U'`', "0615"},
    {U'%', "0046 0616150506 3141403031"},
    {U'*', "2125 0244 0442"},
    {U'#', "1016 3036 0242 0444"},
    {U'$', "453616050413334241301001 272a"},
    {U'&', "40041516250200103042"},
    {U'@', "3222233432414536160501103040"},
    {U'^', "042644"},
    {U'~', "03143243"},
    {U'–', "0343"},
    {U'−', "0343"},
    {U'·', "03"},
    {U'×', "0145 0541"},
    {U'±', "0444 2226 0040"},
    {U'…', "00 20 40"},
    {U'’', "0605"},
    {U'→', "0343 254321"},
};

constexpr std::string_view kBox = "0006464000";

/// '⁻' becomes '-', '²' becomes '2', and so on; 0 for what is not raised.
char32_t raised(char32_t code) {
  if (code == U'⁻') return U'-';
  if (code == U'¹') return U'1';
  if (code == U'²') return U'2';
  if (code == U'³') return U'3';
  if (code == U'⁰' || (code >= U'⁴' && code <= U'⁹')) return code - U'⁰' + U'0';
  return 0;
}

const Glyph* find_glyph(char32_t code) {
  const auto* found = std::find_if(std::begin(kGlyphs), std::end(kGlyphs),
                                   [&](const Glyph& glyph) { return glyph.code == code; });
  return found == std::end(kGlyphs) ? nullptr : found;
}

/// The code point at *at, which moves on; U+FFFD for a byte that starts none.
char32_t next_code(const std::string& text, size_t* at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte((*at)++);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  char32_t code = first & (0x3fu >> more);
  if (first < 0xc0 || first >= 0xf8) return 0xfffd;
  for (int i = 0; i < more; ++i) {
    if ((byte(*at) & 0xc0) != 0x80) return 0xfffd;
    code = code << 6 | (byte((*at)++) & 0x3f);
  }
  return code;
}

struct Pen {
  double size, x = 0;
  StrokeText* out;

  void draw(std::string_view strokes, double scale, double raise) {
    const double unit_x = kUnitX * size * scale, unit_y = kUnitY * size;
    std::vector<Point> line;
    double right = 0;
    const auto lift = [&] {
      if (line.size() == 1) line.push_back(line[0]);
      if (!line.empty()) out->lines.push_back(std::move(line));
      line.clear();
    };
    for (size_t i = 0; i < strokes.size();) {
      if (strokes[i] == ' ') {
        lift();
        ++i;
        continue;
      }
      const int column = strokes[i] - '0', mark = strokes[i + 1];
      const int row = mark >= 'a' ? 'a' - mark - 1 : mark - '0';
      line.push_back({x + column * unit_x, -(row * scale + raise) * unit_y});
      right = std::max(right, column * unit_x);
      i += 2;
    }
    lift();
    x += right + kGap * unit_x;
  }
};

}  // namespace

bool stroke_font_has(char32_t code) {
  return code == U' ' || find_glyph(raised(code) != 0 ? raised(code) : code) != nullptr;
}

StrokeText stroke_text(const std::string& text, double size) {
  StrokeText result;
  Pen pen{.size = size, .out = &result};
  for (size_t at = 0; at < text.size();) {
    const char32_t code = next_code(text, &at), lifted = raised(code);
    if (code == U' ') {
      pen.x += kBlank * kUnitX * size;
      continue;
    }
    const Glyph* glyph = find_glyph(lifted != 0 ? lifted : code);
    pen.draw(glyph == nullptr ? kBox : glyph->strokes, lifted != 0 ? kRaisedSize : 1,
             lifted != 0 ? kRaisedBy : 0);
  }
  result.width = std::max(0.0, pen.x - kGap * kUnitX * size);
  return result;
}

}  // namespace cpm
