// Key: what a plan depends on, compared in full before a plan serves again: ops, operands, attributes and
// shapes of a recording, and the nodes wanted. The numbers of constants are not part of it, nor is any data.
#pragma once

#include <spool/graph/tape.hpp>

#include <vector>

namespace spool::plan {

class Key {
 public:
  /// From now on the key of these.
  void assign(const Tape& tape, std::span<const Var> wanted);
  bool matches(const Tape& tape, std::span<const Var> wanted) const;

 private:
  bool same_attrs(std::span<const std::int64_t> attrs) const;

  std::vector<const OpDef*> op_;
  std::vector<std::uint32_t> operand_end_, attr_end_, shape_id_, operands_, wanted_;
  std::vector<std::int64_t> attrs_;
  std::vector<std::uint32_t> numbers_;  // where constants' numbers are in attrs_
  std::vector<Shape> shapes_;
};

}  // namespace spool::plan
