#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "tensor_impl.h"

namespace uncial {
namespace {

constexpr int64_t kEdge = 3;  // elements shown at each end of a long axis
constexpr int64_t kLongAxis = 2 * kEdge + 2;

void print_element(std::ostream& out, const Tensor& x, int64_t offset) {
  const void* element = host_element(x, offset);
  dispatch(storage_types, x.dtype(), "print", [&]<class T>() {
    const T value = *static_cast<const T*>(element);
    if constexpr (std::is_same_v<T, bool>)
      out << (value ? "true" : "false");
    else if constexpr (std::is_integral_v<T>)
      out << int64_t(value);
    else
      out << std::setprecision(5) << convert<double>(value);
  });
}

void print_axis(std::ostream& out, const Tensor& x, int axis, int64_t offset) {
  if (axis == x.rank()) return print_element(out, x, offset);
  const int64_t extent = x.shape()[axis];
  const bool innermost = axis == x.rank() - 1;
  out << '[';
  for (int64_t i = 0; i < extent; ++i) {
    if (i > 0) out << ',' << (innermost ? std::string(" ") : '\n' + std::string(size_t(axis) + 1, ' '));
    if (extent > kLongAxis && i == kEdge) {
      out << "...";
      i = extent - kEdge - 1;
      continue;
    }
    print_axis(out, x, axis + 1, offset + i * x.strides()[axis]);
  }
  out << ']';
}

}  // namespace

std::string to_string(const Tensor& x) {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  if (!x.defined()) return "undefined tensor";
  text << x.dtype() << ' ' << x.shape() << '\n';
  print_axis(text, x, 0, 0);
  return std::move(text).str();
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace uncial
