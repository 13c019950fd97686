#include "uncial/core/finite.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/tensor_impl.h"

namespace uncial {

std::optional<int64_t> first_non_finite(const Tensor& x) {
  if (!is_floating(x.dtype())) return std::nullopt;
  const Tensor flat = x.detach().to(Device::cpu()).contiguous();
  return dispatch(Types<float, double, bfloat16>(), flat.dtype(), "first_non_finite",
                  [&]<class T>() -> std::optional<int64_t> {
                    if (flat.empty()) return std::nullopt;
                    const std::span<const T> values(static_cast<const T*>(host_element(flat, 0)),
                                                    size_t(flat.size()));
                    const auto bad = std::find_if(values.begin(), values.end(),
                                                  [](T v) { return !std::isfinite(convert<double>(v)); });
                    if (bad == values.end()) return std::nullopt;
                    return bad - values.begin();
                  });
}

}  // namespace uncial
