#include "graph.h"

#include "runtime.h"

namespace uncial::cuda {
namespace {
thread_local bool captures = false;
}

bool capturing() { return captures; }

/// A stream of its own is captured: other threads go on using the library's.
struct Graph::State {
  cudaStream_t stream = nullptr, before = nullptr;
  cudaGraphExec_t exec = nullptr;
  size_t nodes = 0;

  ~State() {
    if (exec) cudaGraphExecDestroy(exec);
    if (stream) cudaStreamDestroy(stream);
  }
  cudaGraph_t stop() {
    captures = false;
    exchange_stream(before);
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream, &graph), "capturing a graph");
    return graph;
  }
};

Graph::Graph() : state_(new State) {}
Graph::~Graph() = default;

void Graph::begin() {
  State& s = *state_;
  if (!s.stream) check(cudaStreamCreateWithFlags(&s.stream, cudaStreamNonBlocking), "making a stream");
  check(cudaStreamBeginCapture(s.stream, cudaStreamCaptureModeThreadLocal), "capturing a graph");
  s.before = exchange_stream(s.stream);
  captures = true;
}

void Graph::end() {
  State& s = *state_;
  cudaGraph_t graph = s.stop();
  const cudaError_t counted = cudaGraphGetNodes(graph, nullptr, &s.nodes);
  const cudaError_t made = cudaGraphInstantiate(&s.exec, graph, 0);
  cudaGraphDestroy(graph);
  check(counted, "counting a graph's nodes");
  check(made, "making a graph");
  check(cudaGraphUpload(s.exec, current_stream()), "uploading a graph");
}

void Graph::abandon() noexcept {
  State& s = *state_;
  if (captures) {
    captures = false;
    exchange_stream(s.before);
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(s.stream, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
  }
  cudaGetLastError();  // what went wrong is known
}

void Graph::launch() { check(cudaGraphLaunch(state_->exec, current_stream()), "launching a graph"); }

int64_t Graph::nodes() const { return int64_t(state_->nodes); }

}  // namespace uncial::cuda
