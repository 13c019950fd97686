// The machine: threads, instruction sets, GPUs, and where messages go.

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding.h"
#include "uncial/core/cuda.h"
#include "uncial/core/isa.h"
#include "uncial/core/log.h"
#include "uncial/core/parallel.h"

namespace uncial::python {
namespace {

/// Calls a Python function from any thread of the library's; what it raises goes where Python puts what
/// nobody can catch.
void set_sink(nb::object function) {
  if (function.is_none()) return set_log_sink({});
  // Not freed: the library may hold the sink when the interpreter is gone already.
  const nb::handle kept = function.release();
  set_log_sink([kept](LogLevel level, std::string_view text) {
    if (!Py_IsInitialized()) return;
    const nb::gil_scoped_acquire locked;
    try {
      kept(level == LogLevel::warning ? "warning"
           : level == LogLevel::info  ? "info"
                                      : "trace",
           nb::str(text.data(), text.size()));
    } catch (nb::python_error& error) {
      error.discard_as_unraisable(kept);
    }
  });
}

Device gpu(int index) { return Device::cuda(index); }

}  // namespace

void bind_machine(nb::module_& m) {
  m.def("num_threads", num_threads, "Threads that compute.");
  m.def("set_num_threads", set_num_threads, "threads"_a, Unlocked(), "0: as many as there are cores.");
  m.def(
      "isa", [] { return std::string(isa()); }, "The instruction set that kernels use: \"avx512\", ...");
  m.def("isas", isas, "The sets that this machine can run, best first.");
  m.def(
      "set_isa", [](const std::string& name) { set_isa(name); }, "name"_a,
      "An empty name brings back the best.");
  m.def("set_log_sink", set_sink, "sink"_a.none(),
        "Receives the library's messages as sink(level, text); None drops them.");
  // Before the interpreter goes: a message after that would find no Python to call.
  nb::module_::import_("atexit").attr("register")(nb::cpp_function([] { set_log_sink({}); }));

  nb::module_ room = m.def_submodule("cuda", "The GPUs of this machine.");
  room.def("available", cuda::available);
  room.def("device_count", cuda::device_count);
  room.def("why_unavailable", cuda::why_unavailable);
  room.def(
      "synchronize", [](int index) { cuda::synchronize(gpu(index)); }, "index"_a = 0, Unlocked());
  room.def(
      "empty_cache", [](int index) { cuda::empty_cache(gpu(index)); }, "index"_a = 0, Unlocked());
  room.def(
      "set_memory_limit", [](int64_t bytes, int index) { cuda::set_memory_limit(gpu(index), bytes); },
      "bytes"_a, "index"_a = 0);
  room.def(
      "memory_stats",
      [](int index) {
        const cuda::MemoryStats stats = cuda::memory_stats(gpu(index));
        nb::dict result;
        result["in_use"] = stats.in_use;
        result["peak"] = stats.peak;
        result["reserved"] = stats.reserved;
        result["free"] = stats.free;
        result["total"] = stats.total;
        return result;
      },
      "index"_a = 0, "Bytes.");
}

}  // namespace uncial::python
