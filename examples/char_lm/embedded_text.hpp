// The text that char_lm learns when it is given none: Spool's own source and docs, put into the program when
// it is built (embed_text.py).
#pragma once

#include <string_view>

namespace char_lm {

std::string_view embedded_text();

}  // namespace char_lm
