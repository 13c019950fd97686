#pragma once
/// @file device.h
/// Where a tensor's bytes live.

#include <cstdint>
#include <iosfwd>

namespace uncial {

enum class DeviceKind : uint8_t { cpu, cuda };

/// A kind of device and its number among those of that kind.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int index = 0;

  static constexpr Device cpu() { return {DeviceKind::cpu, 0}; }
  static constexpr Device cuda(int index = 0) { return {DeviceKind::cuda, index}; }
  constexpr bool is_cpu() const { return kind == DeviceKind::cpu; }
  friend constexpr bool operator==(Device, Device) = default;
};

std::ostream& operator<<(std::ostream& out, Device device);

}  // namespace uncial
