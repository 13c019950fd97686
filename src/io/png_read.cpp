#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "io/png_chunks.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

namespace uncial::io {
namespace {

/// libpng's state and what passes between its callbacks and us. libpng leaves by longjmp, so no function
/// below that calls it (the `step` functions) may own anything with a destructor.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* next = nullptr;
  size_t left = 0;
  char message[160] = "";
  int64_t row = -1;  // being decoded

  int channels = 0;  // of a decoded pixel: 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA
  bool palette = false;
  std::vector<uint8_t> pixels;  // (H, W, channels)

  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp text) {
  auto& d = *static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(d.message, text, sizeof d.message - 1);
  std::longjmp(*png_set_longjmp_fn(png, std::longjmp, sizeof(jmp_buf)), 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, size_t bytes) {
  auto& d = *static_cast<Decoder*>(png_get_io_ptr(png));
  if (bytes > d.left) png_error(png, "the file ends early");
  std::memcpy(out, d.next, bytes);
  d.next += bytes;
  d.left -= bytes;
}

/// Runs `step`; false when libpng reported an error.
bool guarded(Decoder& d, void (*step)(Decoder&)) {
  if (setjmp(*png_set_longjmp_fn(d.png, std::longjmp, sizeof(jmp_buf))) != 0) return false;
  step(d);
  return true;
}

void read_info_step(Decoder& d) {
  // All known ancillary chunks but tRNS: a four-letter name and a 0 each.
  static const png_byte kSkipped[] =
      "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_set_keep_unknown_chunks(d.png, PNG_HANDLE_CHUNK_NEVER, kSkipped, sizeof kSkipped / 5);
  png_set_crc_action(d.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_benign_errors(d.png, 0);  // what libpng would forgive is an error here
  png_set_user_limits(d.png, 0x7fffffff,
                      0x7fffffff);  // check_png_chunks() has held the pixels to the caller's limit
  png_set_chunk_malloc_max(d.png, 1 << 20);
  png_set_read_fn(d.png, &d, on_read);
  png_read_info(d.png, d.info);

  const int depth = png_get_bit_depth(d.png, d.info), color = png_get_color_type(d.png, d.info);
  d.palette = color == PNG_COLOR_TYPE_PALETTE;
  if (depth == 16) png_set_scale_16(d.png);
  if (d.palette) {
    png_set_packing(d.png);  // one index a byte; the palette is applied here, where indices are checked
  } else {
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(d.png);
    if (png_get_valid(d.png, d.info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(d.png);
  }
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  d.channels = png_get_channels(d.png, d.info);
}

void read_rows_step(Decoder& d) {
  const size_t row_bytes = png_get_rowbytes(d.png, d.info);
  const auto height = int64_t(png_get_image_height(d.png, d.info));
  const int passes = png_get_interlace_type(d.png, d.info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
  for (int pass = 0; pass < passes; ++pass)
    for (d.row = 0; d.row < height; ++d.row)
      png_read_row(d.png, d.pixels.data() + size_t(d.row) * row_bytes, nullptr);
  d.row = -1;
  png_read_end(d.png, nullptr);
}

uint8_t over(int value, int alpha, int background) {
  return uint8_t((value * alpha + background * (255 - alpha) + 127) / 255);
}

/// Replaces palette indices by RGB or RGBA.
void apply_palette(Decoder& d, int64_t width, const std::string& where) {
  png_colorp colors = nullptr;
  png_bytep alphas = nullptr;
  int entries = 0, alpha_entries = 0;
  if (png_get_PLTE(d.png, d.info, &colors, &entries) == 0)
    fail(ErrorKind::data, where, ": its PLTE chunk is missing.");
  png_get_tRNS(d.png, d.info, &alphas, &alpha_entries, nullptr);
  std::vector<uint8_t> rgba(d.pixels.size() * 4);
  for (size_t i = 0; i < d.pixels.size(); ++i) {
    const int index = d.pixels[i];
    if (index >= entries)
      fail(ErrorKind::data, where, ": row ", int64_t(i) / width, ": palette index ", index,
           ", expected below ", entries, ".");
    const png_color& c = colors[index];
    const uint8_t alpha = index < alpha_entries ? alphas[index] : 255;
    const uint8_t pixel[4] = {c.red, c.green, c.blue, alpha};
    std::copy_n(pixel, 4, rgba.begin() + ptrdiff_t(4 * i));
  }
  d.pixels = std::move(rgba);
  d.channels = 4;
}

/// (H, W, channels) bytes as (C, H, W), alpha laid over `background`.
Tensor to_planes(const Decoder& d, int64_t height, int64_t width, int background) {
  const int colors = d.channels <= 2 ? 1 : 3;
  const bool alpha = d.channels == 2 || d.channels == 4;
  Tensor image = empty({colors, height, width}, DType::uint8);
  uint8_t* out = image.data<uint8_t>();
  const int64_t plane = height * width;
  for (int64_t i = 0; i < plane; ++i) {
    const uint8_t* pixel = d.pixels.data() + i * d.channels;
    for (int c = 0; c < colors; ++c)
      out[c * plane + i] = alpha ? over(pixel[c], pixel[colors], background) : pixel[c];
  }
  return image;
}

[[noreturn]] void fail_decoding(const Decoder& d, const std::string& where) {
  fail(ErrorKind::data, where, ": ", d.row >= 0 ? join("row ", d.row, ": ") : std::string(),
       printable(d.message), ". Make the file again.");
}

Tensor decode(std::span<const uint8_t> bytes, const std::string& where, const PngOptions& options) {
  require(options.max_pixels >= 1, "read_png: max_pixels must be >= 1, got ", options.max_pixels, ".");
  const PngHeader header = check_png_chunks(bytes, options.max_pixels, where);
  Decoder d;
  d.next = bytes.data();
  d.left = bytes.size();
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
  d.info = d.png ? png_create_info_struct(d.png) : nullptr;
  if (!d.info) fail(ErrorKind::device, where, ": no memory to decode.");
  if (!guarded(d, read_info_step)) fail_decoding(d, where);
  d.pixels.resize(png_get_rowbytes(d.png, d.info) * size_t(header.height));
  if (!guarded(d, read_rows_step)) fail_decoding(d, where);
  if (d.palette) apply_palette(d, header.width, where);
  return to_planes(d, header.height, header.width, options.background);
}

}  // namespace

Tensor read_png(std::span<const std::byte> bytes, const std::string& name, const PngOptions& options) {
  return decode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                "read_png: " + printable(name), options);
}

Tensor read_png(const std::filesystem::path& path, const PngOptions& options) {
  // 8 bytes a pixel is the most that 16-bit RGBA needs uncompressed; 1 MiB for everything beside the pixels.
  const std::string content = read_file(path, std::max<int64_t>(options.max_pixels, 1) * 9 + (1 << 20));
  return read_png(std::as_bytes(std::span(content)), path.native(), options);
}

}  // namespace uncial::io
