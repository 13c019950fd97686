#include "support/gpus.h"

#include <cstdio>

#include "uncial/config.h"
#include "uncial/core/cuda.h"

namespace uncial::test {

void for_each_gpu(const std::function<void(Device)>& body) {
  for (int i = 0; i < cuda::device_count(); ++i) body(Device::cuda(i));
  if (!kCudaBuild || cuda::available()) return;
  static bool said = false;
  if (said) return;
  said = true;
  std::printf("SKIPPED: cuda: %s: nothing was tested on a GPU\n", cuda::why_unavailable().c_str());
  std::fflush(stdout);
}

void for_each_device(const std::function<void(Device)>& body) {
  body(Device::cpu());
  for_each_gpu(body);
}

}  // namespace uncial::test
