// The frame of a page: one HTML file that needs no other and no network. Text arguments called html are
// markup already; all others are escaped.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace cpm {

/// A whole document. Pictures must be inline SVG or data URIs: the policy in its head forbids every other
/// source, so the file never calls home.
std::string page(const std::string& title, const std::string& html);

/// Title, a sentence, and a tile a fact (what, value). `lead_html` stands between title and sentence; it may
/// be empty.
std::string page_header(const std::string& title, const std::string& summary,
                        const std::vector<std::pair<std::string, std::string>>& facts,
                        const std::string& lead_html = "");

/// These three are empty where their content is. `heading_html` of a card may be empty; so may a section's
/// `id`, by which links find it.
std::string card(const std::string& heading_html, const std::string& html);
std::string section(const std::string& heading_html, const std::string& note_html, const std::string& html,
                    const std::string& id = "");
std::string folded(const std::string& heading_html, const std::string& html);

struct PictureSize {
  const char* css;
  int width, height;
};

/// Text in a picture shrinks with it, so each width of screen gets its own; the style sheet shows one. Widest
/// first; heights are those of one chart.
inline constexpr PictureSize kPictureSizes[] = {
    {"wide", 1040, 420}, {"medium", 680, 380}, {"narrow", 360, 330}};

/// The SVG that `draw` gives for each size, those that are empty left out.
std::string sized_pictures(const std::function<std::string(const PictureSize&)>& draw);

}  // namespace cpm
