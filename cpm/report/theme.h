// The colours of pages and pictures, named by what they are for, one table for every theme.
#pragma once

#include <string>

#include "cpm/dataset/image.h"

namespace cpm {

/// Ground, cards on it, ink and soft ink, rules and grids, an accent; S1 .. S6 tell series apart; Warm, Cool
/// and Middle are a person's sides.
enum class Tone { Ground, Card, Ink, Soft, Line, Grid, Accent, S1, S2, S3, S4, S5, S6, Warm, Cool, Middle };
enum class Theme { Light, Dark, Print };

Color tone_color(Tone tone, Theme theme);
/// "s1": the style sheet has the colour as the custom property --s1.
const char* tone_name(Tone tone);
/// "--ground:#f6f7f9;--card:#ffffff;..."
std::string theme_properties(Theme theme);
/// "#0f6ab4"
std::string color_text(Color color);

}  // namespace cpm
