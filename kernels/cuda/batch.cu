#include "uncial/kernels/batch.h"

#include "grid.h"

namespace uncial::cuda {

template <class T>
void take_batch(kernels::SampleTable table, const kernels::EpochPlace* place, int64_t count, T* images,
                int64_t* labels, int64_t* sources, double* rate) {
  const IndexDivider samples(table.size, count * table.size);
  each(
      count * table.size,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t n = samples.quotient(i), pixel = i - n * table.size,
                      sample = table.order[place->sample + n];
        images[i] = T(table.images[sample * table.size + pixel]) / T(255);
        if (pixel == 0) labels[n] = table.labels[sample], sources[n] = table.sources[sample];
        if (i == 0) *rate = table.rates[place->step];
      },
      "take_batch");
}

template <class T>
void tally_batch(Rows<const T> logits, const int64_t* labels, const T* loss, double* sums,
                 kernels::EpochPlace* place) {
  each_block(
      1, threads_for(logits.rows), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t hits = block.sum<int64_t>([&](int t) {
          int64_t right = 0;
          for (int64_t n = t; n < logits.rows; n += block.threads) {
            const T* row = logits.data + n * logits.cols;
            int64_t best = 0;
            for (int64_t k = 1; k < logits.cols; ++k)
              if (row[k] > row[best]) best = k;
            right += best == labels[n];
          }
          return right;
        });
        block.each_thread([&](int t) {
          if (t != 0) return;
          sums[0] += double(*loss) * double(logits.rows);
          sums[1] += double(hits);
          place->sample += logits.rows;
          ++place->step;
        });
      },
      "tally_batch");
}

template void take_batch<float>(kernels::SampleTable, const kernels::EpochPlace*, int64_t, float*, int64_t*,
                                int64_t*, double*);
template void tally_batch<float>(Rows<const float>, const int64_t*, const float*, double*,
                                 kernels::EpochPlace*);

}  // namespace uncial::cuda
