#include "uncial/kernels/batch.h"

#include <algorithm>

namespace uncial::cpu {

template <class T>
void take_batch(kernels::SampleTable table, const kernels::EpochPlace* place, int64_t count, T* images,
                int64_t* labels, int64_t* sources, double* rate) {
  for (int64_t n = 0; n < count; ++n) {
    const int64_t sample = table.order[place->sample + n];
    for (int64_t i = 0; i < table.size; ++i)
      images[n * table.size + i] = T(table.images[sample * table.size + i]) / T(255);
    labels[n] = table.labels[sample];
    sources[n] = table.sources[sample];
  }
  *rate = table.rates[place->step];
}

template <class T>
void tally_batch(Rows<const T> logits, const int64_t* labels, const T* loss, double* sums,
                 kernels::EpochPlace* place) {
  for (int64_t n = 0; n < logits.rows; ++n) {
    const T* row = logits.data + n * logits.cols;
    sums[1] += std::max_element(row, row + logits.cols) - row == labels[n];
  }
  sums[0] += double(*loss) * double(logits.rows);
  place->sample += logits.rows;
  ++place->step;
}

template void take_batch<float>(kernels::SampleTable, const kernels::EpochPlace*, int64_t, float*, int64_t*,
                                int64_t*, double*);
template void tally_batch<float>(Rows<const float>, const int64_t*, const float*, double*,
                                 kernels::EpochPlace*);

}  // namespace uncial::cpu
