// What char_lm wrote, as it is shown: side by side in HTML that Markdown leaves alone.
#include "../../examples/shared/language_model.hpp"
#include "../catch.hpp"

using examples::as_html;

TEST_CASE("a text as HTML: marks are escaped, and no line is blank") {
  CHECK(as_html("if (a < b && b > c)\r\n\n  \nend") ==
        "if (a &lt; b &amp;&amp; b &gt; c)\n&nbsp;\n  &nbsp;\nend");
  CHECK(as_html("") == "&nbsp;");
  CHECK(as_html("a\n") == "a\n&nbsp;");
  CHECK(as_html("a\n\t\nb") == "a\n\t&nbsp;\nb");
}

TEST_CASE("a text as HTML: long lines are cut by characters, not by bytes") {
  const std::string line(36, 'x');
  CHECK(as_html(line + line + "y") == line + "\n" + line + "\ny");
  CHECK(as_html(line + "\ny") == line + "\ny");
  CHECK(as_html(std::string(35, 'x') + "\u4F60y") == std::string(35, 'x') + "\u4F60\ny");
  CHECK(as_html(std::string(40, ' ')) == std::string(36, ' ') + "&nbsp;\n    &nbsp;");
}
