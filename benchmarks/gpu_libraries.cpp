#include "gpu_libraries.h"

#include <cuda_bf16.h>

namespace uncial::bench {
std::shared_ptr<Memory> on_gpu(const Layout& l, const Tensor& x) {
  const auto memory = std::make_shared<Memory>(l.bytes());
  const auto values = x.span<float>();
  if (!l.bfloat16) {
    check(cudaMemcpy(memory->data, values.data(), l.bytes(), cudaMemcpyHostToDevice));
    return memory;
  }
  std::vector<__nv_bfloat16> there(values.size());
  for (int64_t i = 0; i < l.size(); ++i) there[size_t(l.place(i))] = __nv_bfloat16(values[size_t(i)]);
  check(cudaMemcpy(memory->data, there.data(), l.bytes(), cudaMemcpyHostToDevice));
  return memory;
}

namespace {

std::vector<float> on_host(const Layout& l, const Memory& memory) {
  std::vector<float> values(size_t(l.size()));
  if (!l.bfloat16) {
    check(cudaMemcpy(values.data(), memory.data, l.bytes(), cudaMemcpyDeviceToHost));
    return values;
  }
  std::vector<__nv_bfloat16> there(values.size());
  check(cudaMemcpy(there.data(), memory.data, l.bytes(), cudaMemcpyDeviceToHost));
  for (int64_t i = 0; i < l.size(); ++i) values[size_t(i)] = float(there[size_t(l.place(i))]);
  return values;
}

/// Many calls as a CUDA graph, as recorded programs of ours run.
class Graphed {
 public:
  explicit Graphed(std::function<void()> call) : call_(std::move(call)) { call_(); }
  ~Graphed() {
    if (exec_) cudaGraphExecDestroy(exec_);
  }
  Graphed(const Graphed&) = delete;
  Graphed& operator=(const Graphed&) = delete;

  void run(int64_t times) {
    const cudaStream_t stream = handles().stream;
    if (!exec_ && times >= kMany) capture(stream);
    for (; exec_ && times >= kMany; times -= kMany) check(cudaGraphLaunch(exec_, stream));
    for (; times > 0; --times) call_();
    check(cudaStreamSynchronize(stream));  // the caller waits for the library's stream only
  }

 private:
  static constexpr int64_t kMany = 16;

  void capture(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    for (int64_t i = 0; i < kMany; ++i) call_();
    check(cudaStreamEndCapture(stream, &graph));
    check(cudaGraphInstantiate(&exec_, graph, 0));
    check(cudaGraphDestroy(graph));
  }

  std::function<void()> call_;
  cudaGraphExec_t exec_ = nullptr;
};

}  // namespace

GpuContestant contestant(std::function<void()> call, std::vector<Answer> answers) {
  const auto graphed = std::make_shared<Graphed>(std::move(call));
  return {.run = [=](int64_t times) { graphed->run(times); },
          .result =
              [=] {
                std::vector<float> all;
                for (const Answer& answer : answers) {
                  const std::vector<float> one = on_host(answer.layout, *answer.memory);
                  all.insert(all.end(), one.begin(), one.end());
                }
                return all;
              }};
}

}  // namespace uncial::bench
