#include "vision/png_write.h"

#include "uncial/core/error.h"

// Static, so that a program may hold a stb_image_write of its own. It comes as a system header, hence no
// warnings.
#define STBIW_ASSERT(condition) ((void)(condition))  // a library must not abort its host
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

namespace uncial::vision {

std::string write_png(int width, int height, int channels, const uint8_t* pixels) {
  std::string bytes;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size_t(size));
  };
  if (!stbi_write_png_to_func(append, &bytes, width, height, channels, pixels, channels * width))
    fail(ErrorKind::io, "write_png: out of memory for ", width, " x ", height, " pixels.");
  return bytes;
}

}  // namespace uncial::vision
