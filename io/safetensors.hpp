// The safetensors format (huggingface/safetensors, format of version 0.4): eight bytes with the header's
// length, a JSON header that gives each tensor's type, shape and place, then the numbers, little-endian.
// A file that departs from the format in any way is refused. Which tensor belongs to which parameter is
// io/params.hpp's business.
#pragma once

#include <spool/graph/tensor.hpp>

#include <map>
#include <span>
#include <string>

namespace spool {

struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;  ///< Free texts, the header's "__metadata__".
};

/// Reads all tensors of a file. F32 and F64 stay what they are; F16, BF16, BOOL and whole numbers of 8 and 16
/// bits become f32, those of 32 and 64 bits f64, always exactly. Throws FileError "path: what is wrong" for a
/// file that can't be read or is malformed, and for whole numbers beyond what a double holds.
Safetensors read_safetensors(const std::string& path);
/// The same from bytes in memory; `origin` stands for the path in messages.
Safetensors parse_safetensors(std::span<const std::byte> bytes, const std::string& origin);

/// Writes a file that any reader of the format takes, in one step (see AtomicFile). The same tensors always
/// give the same bytes. Throws FileError when it can't be written, for a tensor called "__metadata__", and
/// for names and texts that are not UTF-8.
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace spool
