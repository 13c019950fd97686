#pragma once
/// @file tile_unit.h
/// What multiplies bfloat16 factors faster than float32's kernels: the matrix unit, Intel's AMX, with eight
/// tile registers of 16 rows of 64 bytes and one instruction that multiplies two of them; or AVX512_BF16, dot
/// products of pairs, which do the same with tiles in memory. Both go with the AVX-512 kernels, which do all
/// the rest.

namespace uncial::cpu {

enum class TileUnit {
  none,
  emulated,      ///< tiles in memory and loops: the bits of amx, for tests on machines without it
  dot_products,  ///< AVX512_BF16: twice as fast as float32, where amx is 8 to 16 times
  amx,
};

/// What bfloat16 convolutions and dense layers use now. The first call that finds AMX asks the operating
/// system for leave to use it, for the whole process.
TileUnit tile_unit();
/// True when this machine and its operating system have what `unit` needs.
bool supports(TileUnit unit);
/// Which one goes with the AVX-512 kernels from now on, or the best one below it that this machine has. At
/// first that is amx.
void choose_tile_unit(TileUnit unit);

/// Those of a family of kernels that go with tile_unit(); null where there is none.
template <class Family>
const Family* of_tile_unit(const Family& amx, const Family& dot_products, const Family& emulated) {
  switch (tile_unit()) {
    case TileUnit::amx:
      return &amx;
    case TileUnit::dot_products:
      return &dot_products;
    case TileUnit::emulated:
      return &emulated;
    default:
      return nullptr;
  }
}

}  // namespace uncial::cpu
