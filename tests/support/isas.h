#pragma once
/// Tests on every instruction set, loud about those that this machine lacks.

#include <functional>
#include <string>

namespace uncial::test {

/// Whether the kernels of an instruction set run here. If not, says so in a line "SKIPPED: ...", once a
/// program: for tests of one set alone.
bool has_isa(const std::string& name);

/// Calls body once for each instruction set of this machine, and brings the best one back. Says of the others
/// that uncial has kernels for that they are skipped.
void for_each_isa(const std::function<void(const std::string&)>& body);

/// The same, and the matrix unit's emulation where it can run: for tests in bfloat16.
void for_each_isa_and_emulation(const std::function<void(const std::string&)>& body);

}  // namespace uncial::test
