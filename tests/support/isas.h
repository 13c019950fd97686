#pragma once
/// Tests on every instruction set, loud about those that this machine lacks.

#include <functional>
#include <string>

namespace uncial::test {

/// Whether the kernels of an instruction set run here. If not, says so in a line "SKIPPED: ...", once a
/// program: for tests of one set alone.
bool has_isa(const std::string& name);

/// Calls body once for each instruction set of this machine, and brings the best one back. Says of the others
/// that uncial has kernels for that they are skipped. Those that differ in bfloat16 alone are left out.
void for_each_isa(const std::function<void(const std::string&)>& body);

/// The same for what multiplies bfloat16 factors, and for the matrix unit's emulation where that can run.
void for_each_tile_unit(const std::function<void(const std::string&)>& body);

}  // namespace uncial::test
