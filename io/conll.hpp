// Annotated sentences in columns, as CoNLL's shared tasks and treebanks have them: a line for each word, its
// fields set apart by tabs, and an empty line after each sentence. Which column is what differs from set to
// set (CoNLL-U: 1 the word, 3 its part of speech), and so does not stand here.
#pragma once

#include <string>
#include <vector>

namespace spool {

/// Texts of sentences: [i][t] is that of word t of sentence i.
using WordsOfSentences = std::vector<std::vector<std::string>>;

/// A file's columns, from the left: the same sentences in each. UTF-8, plain or gzip-compressed. Lines that
/// begin with # and have no tab are comments. Throws FileError "path: what is wrong": what read_text throws,
/// a file without a sentence, a line that has another number of fields than those before, and an empty field.
std::vector<WordsOfSentences> read_conll(const std::string& path);

}  // namespace spool
