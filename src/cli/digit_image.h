#pragma once
/// Pictures from outside as a net trained on MNIST wants them.

#include <string>

#include "uncial/core/tensor.h"

namespace uncial::cli {

/// Options of prepare_digit().
struct DigitOptions {
  bool resize = false;  ///< take pictures of any size: see prepare_digit()
  bool invert = false;  ///< the background is the other way round than it looks
};

struct DigitImage {
  Tensor image;         ///< (1, 1, 28, 28) float32: 0 = paper, 1 = ink
  std::string remarks;  ///< what was found and done: "light background, resized from 100x80"
};

/// Turns a picture (C, H, W) uint8 into such an image. Colours become grey (luma, ITU-R BT.601). The
/// background is light when most of the border is; then black is ink. With `resize` the ink's box is scaled
/// to 20 pixels and its centre of mass put in the middle, as MNIST's makers did (LeCun et al., 1998); without
/// it a picture that is not 28x28 is refused. Throws Error(data) then, and when there is no ink; `name` is
/// for the message.
DigitImage prepare_digit(const Tensor& picture, const std::string& name, const DigitOptions& options = {});

}  // namespace uncial::cli
