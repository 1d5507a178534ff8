// The mistakes that docs/errors.md explains; errors_doc_test.cpp holds the page against what they throw.
#pragma once

#include <spool/spool.hpp>

#include <string>
#include <vector>

struct Mistake {
  const char* section;  ///< the heading that it stands under
  void (*make)();
};

// Each list throws the one type of error that its chapter is called by.
extern const std::vector<Mistake> shape_mistakes, tape_mistakes, file_mistakes;

// What mistakes of several chapters are made with: a parameter, and a training of one epoch.
spool::Param weight(const std::string& name = "w", const spool::Shape& shape = {2});
void fit(spool::TrainerOptions o, std::size_t batches = 1, const spool::Trainer::Validation& validate = {});
