// The mistakes that docs/errors.md explains; errors_doc_test.cpp holds the page against what they throw.
#pragma once

#include <vector>

struct Mistake {
  const char* section;  ///< the heading that it stands under
  void (*make)();
};

// Each list throws the one type of error that its chapter is called by.
extern const std::vector<Mistake> shape_mistakes, tape_mistakes, file_mistakes;
