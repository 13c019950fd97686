#pragma once
/// @file idx.h
/// The file format of MNIST and its relatives.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "uncial/data/dataset.h"

namespace uncial::data {

/// Options of read_idx().
struct IdxOptions {
  int64_t max_bytes = int64_t(1) << 32;  ///< of the values; more is refused before anything is allocated
};

/// The content of an IDX file.
struct IdxArray {
  Tensor values;       ///< row-major; int8 and int16 files come as int32, all others in their own type
  std::string sha256;  ///< of the uncompressed file, header included: lower-case hex
};

/// Reads an IDX file (format: LeCun, Cortes & Burges, 1998: 0 0 type rank, big-endian extents, big-endian
/// values), raw or gzip, told apart by content, not by name. A gzip file may have several members (RFC
/// 1952, 2.2): they are read as one stream. Length and checksums must match exactly; decompression stops at
/// the size the header declares. Rank is 1 to 8; an extent of 0 gives an empty tensor. Throws Error(io) when
/// the file cannot be read, and Error(data) naming file, place, what came and what was expected.
IdxArray read_idx(const std::filesystem::path& path, const IdxOptions& options = {});
/// The same for a file in memory; `name` stands for the path in messages.
IdxArray read_idx(std::span<const std::byte> bytes, const std::string& name, const IdxOptions& options = {});

/// A data set of one's own from a file of images (N, H, W) and one of labels (N), both uint8; `classes` names
/// the labels from 0. Throws what read_idx() throws, and Error(data) when counts differ, the two files are
/// exchanged, there is no sample, or a label has no class.
Dataset read_idx_dataset(std::string name, const std::filesystem::path& images,
                         const std::filesystem::path& labels, std::vector<std::string> classes);

/// The same for arrays in memory, which are shared, not copied.
Dataset labelled_images(const std::string& name, const Tensor& images, const Tensor& labels,
                        std::vector<std::string> classes);

}  // namespace uncial::data
