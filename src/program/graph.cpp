#include "graph.h"

namespace uncial::program {

Graph::Graph(const Program& program)
    : program_(&program),
      writers_(program.buffers().size(), -1),
      readers_(program.buffers().size()),
      returned_(program.buffers().size(), false) {
  for (int s = 0; s < steps(); ++s) {
    if (step(s).is_view) continue;
    for (int v : step(s).inputs) {
      std::vector<int>& readers = readers_[size_t(value(v).buffer)];
      if (readers.empty() || readers.back() != s) readers.push_back(s);
    }
    for (int v : step(s).outputs) writers_[size_t(value(v).buffer)] = s;
  }
  for (int v : program.outputs()) returned_[size_t(value(v).buffer)] = true;
}

bool Graph::whole(int v) const {
  const Value& x = value(v);
  return x.offset == 0 && is_row_major(x.shape, x.strides) &&
         count(x.shape) * size_of(x.dtype) == buffer(x.buffer).bytes;
}

int Graph::only_relu(int v) const {
  const int b = value(v).buffer;
  if (!temporary(b) || readers(b).size() != 1) return -1;
  const int reader = readers(b)[0];
  return is(reader, "relu") && in_buffer(reader, 0) == b && whole(in(reader, 0)) ? reader : -1;
}

}  // namespace uncial::program
