// What must not run on an older processor: newer_cpu avx2|avx512. It proves that the emulator stops it.
#include <immintrin.h>

#include <cstdio>
#include <string_view>

namespace {

__attribute__((target("avx2"))) int twice_avx2(const int* values) {
  int doubled[8];
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(doubled), _mm256_add_epi32(v, v));
  return doubled[7];
}

__attribute__((target("avx512f"))) int twice_avx512(const int* values) {
  int doubled[16];
  const __m512i v = _mm512_loadu_si512(values);
  _mm512_storeu_si512(doubled, _mm512_add_epi32(v, v));
  return doubled[15];
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view isa = count == 2 ? arguments[1] : "";
  volatile int source[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  int values[16];
  for (int i = 0; i < 16; ++i) values[i] = source[i];
  if (isa == "avx2") std::printf("%d\n", twice_avx2(values));
  if (isa == "avx512") std::printf("%d\n", twice_avx512(values));
}
