#pragma once
/// Tests on every GPU, loud about a machine that has none.

#include <functional>

#include "uncial/core/device.h"

namespace uncial::test {

/// Calls body once for each GPU of this machine. In a build with CUDA that finds none, says so in a line
/// "SKIPPED: ...", once a program.
void for_each_gpu(const std::function<void(Device)>& body);
/// Calls body for the CPU, then for each GPU.
void for_each_device(const std::function<void(Device)>& body);

}  // namespace uncial::test
