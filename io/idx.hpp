// IDX files, plain or gzip-compressed: arrays of any rank, the format of MNIST and of the sets that follow it
// (described by LeCun, Cortes and Burges beside MNIST).
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>

namespace spool {

/// The array as the file has it, pictures as [N,H,W] in 0..255 and labels as [N]: f32, or f64 where it holds
/// doubles or integers of 32 bits. Throws FileError "path: what is wrong" when the file is missing,
/// unreadable, damaged gzip, no IDX, empty, shorter or longer than its header says, or has a
/// number that is not finite.
Tensor read_idx(const std::string& path);

}  // namespace spool
