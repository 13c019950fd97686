#pragma once
/// @file tile_unit.h
/// The matrix unit for bfloat16 products, Intel's AMX: eight tile registers of 16 rows of 64 bytes, and one
/// instruction that multiplies two of them. It goes with the AVX-512 kernels, which do all the rest.

namespace uncial::cpu {

enum class TileUnit {
  none,
  emulated,  ///< tiles in memory and loops: the same bits, for tests on machines without the unit
  amx,
};

/// What bfloat16 convolutions and dense layers use now. The first call that finds AMX asks the operating
/// system for leave to use it, for the whole process.
TileUnit tile_unit();
/// True when this machine and its operating system have AMX for bfloat16.
bool supports_amx();
/// Which one goes with the AVX-512 kernels from now on. `amx` stands for the best: it is none where
/// supports_amx() is false.
void choose_tile_unit(TileUnit unit);

}  // namespace uncial::cpu
