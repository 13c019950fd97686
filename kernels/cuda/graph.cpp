#include "graph.h"

#include <array>
#include <map>

#include "core/captured.h"
#include "runtime.h"

namespace uncial::cuda {

/// Streams of its own are captured: other threads go on using the library's. That of a branch becomes part of
/// the capture when it first waits for a point.
struct Graph::State {
  std::array<cudaStream_t, kBranches> streams{};
  std::map<int, cudaEvent_t> points;
  cudaStream_t before = nullptr;
  cudaGraphExec_t exec = nullptr;
  size_t nodes = 0;

  ~State() {
    if (exec) cudaGraphExecDestroy(exec);
    for (const auto& [name, event] : points) cudaEventDestroy(event);
    for (const cudaStream_t stream : streams)
      if (stream) cudaStreamDestroy(stream);
  }
  cudaStream_t stream(int branch) {
    cudaStream_t& s = streams[size_t(branch)];
    if (s) return s;
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities");
    // Blocks of the longest way through the graph start first, wherever others wait for room, too.
    check(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, branch == 0 ? greatest : least),
          "making a stream");
    return s;
  }
  cudaEvent_t point(int name) {
    cudaEvent_t& event = points[name];
    if (!event) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    return event;
  }
  cudaGraph_t stop();
};

namespace {
thread_local Graph::State* captured = nullptr;
}

cudaGraph_t Graph::State::stop() {
  captured = nullptr;
  exchange_stream(before);
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(streams[0], &graph), "capturing a graph");
  return graph;
}

bool capturing() { return captured != nullptr; }
void capture_branch(int branch) {
  if (captured) exchange_stream(captured->stream(branch));
}
void mark_point(int name) {
  if (captured) check(cudaEventRecord(captured->point(name), current_stream()), "capturing a point");
}
void wait_for_point(int name) {
  if (captured) check(cudaStreamWaitEvent(current_stream(), captured->point(name)), "capturing a point");
}

Graph::Graph() : state_(new State) {}
Graph::~Graph() = default;

void Graph::begin() {
  State& s = *state_;
  check(cudaStreamBeginCapture(s.stream(0), cudaStreamCaptureModeThreadLocal), "capturing a graph");
  s.before = exchange_stream(s.stream(0));
  captured = &s;
}

void Graph::end() {
  State& s = *state_;
  cudaGraph_t graph = s.stop();
  const cudaError_t counted = cudaGraphGetNodes(graph, nullptr, &s.nodes);
  const cudaError_t made = cudaGraphInstantiate(&s.exec, graph, cudaGraphInstantiateFlagUseNodePriority);
  cudaGraphDestroy(graph);
  check(counted, "counting a graph's nodes");
  check(made, "making a graph");
  check(cudaGraphUpload(s.exec, current_stream()), "uploading a graph");
}

void Graph::abandon() noexcept {
  State& s = *state_;
  if (captured) {
    captured = nullptr;
    exchange_stream(s.before);
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(s.streams[0], &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
  }
  cudaGetLastError();  // what went wrong is known
}

void Graph::launch() { check(cudaGraphLaunch(state_->exec, current_stream()), "launching a graph"); }

int64_t Graph::nodes() const { return int64_t(state_->nodes); }

}  // namespace uncial::cuda
