// The families of the op table. A new family adds a line to each list.
#include <algorithm>
#include <iterator>

#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> activation_rows();
std::vector<OpRow> conv_rows();
std::vector<OpRow> elementwise_rows();
std::vector<OpRow> index_rows();
std::vector<OpRow> loss_rows();
std::vector<OpRow> matmul_rows();
std::vector<OpRow> movement_rows();
std::vector<OpRow> norm_rows();
std::vector<OpRow> random_rows();
std::vector<OpRow> reduce_rows();
std::vector<OpRow> softmax_rows();

std::vector<OpRow> all_rows() {
  std::vector<OpRow> all;
  for (const auto& family : {
           activation_rows,
           conv_rows,
           elementwise_rows,
           index_rows,
           loss_rows,
           matmul_rows,
           movement_rows,
           norm_rows,
           random_rows,
           reduce_rows,
           softmax_rows,
       }) {
    std::vector<OpRow> rows = family();
    std::ranges::move(rows, std::back_inserter(all));
  }
  return all;
}

}  // namespace spool::test
