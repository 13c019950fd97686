// What a network is made of and costs, as text and as a table for notebooks; and what its layers give.

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding.h"
#include "nn.h"
#include "python_module.h"
#include "uncial/nn/summary.h"

namespace uncial::python {
namespace {

std::string html_of(const nn::Summary& summary) {
  std::string rows;
  for (const nn::SummaryRow& row : summary.rows)
    rows += join("<tr><td>", escaped(row.path), "</td><td>", escaped(row.kind), "</td><td>", row.output,
                 "</td><td>", row.parameters, "</td><td>", row.multiply_adds, "</td></tr>");
  return join(
      "<table><thead><tr><th>layer</th><th>kind</th><th>output</th><th>parameters</th><th>multiply-adds</"
      "th></tr></thead><tbody>",
      rows, "<tr><th>total</th><th></th><th></th><th>", summary.parameters, "</th><th>",
      summary.multiply_adds, "</th></tr></tbody></table>");
}

nn::Summary summary_of(const nn::Module& net, nb::handle input) {
  Shape shape = shape_of(input);
  if (shape.rank() == 3) shape.insert(0, 1);  // an image without a batch
  const nb::gil_scoped_release unlocked;
  return nn::summary(net, shape);
}

}  // namespace

void bind_summary(nb::module_& m) {
  nb::class_<nn::SummaryRow>(m, "SummaryRow")
      .def_ro("path", &nn::SummaryRow::path)
      .def_ro("kind", &nn::SummaryRow::kind)
      .def_prop_ro("output", [](const nn::SummaryRow& row) { return tuple_of(row.output); })
      .def_ro("parameters", &nn::SummaryRow::parameters)
      .def_ro("multiply_adds", &nn::SummaryRow::multiply_adds)
      .def_ro("bytes", &nn::SummaryRow::bytes)
      .def("__repr__", [](const nn::SummaryRow& row) {
        return join(row.path, " ", row.kind, " -> ", row.output, ", ", row.parameters, " parameters");
      });
  nb::class_<nn::Summary>(m, "Summary")
      .def_prop_ro("rows", [](const nn::Summary& summary) { return summary.rows; })
      .def_ro("parameters", &nn::Summary::parameters)
      .def_ro("multiply_adds", &nn::Summary::multiply_adds)
      .def_ro("bytes", &nn::Summary::bytes)
      .def("table", &nn::Summary::table)
      .def("__repr__",
           [](const nn::Summary& summary) {
             const std::string table = summary.table();
             return table.substr(0, table.find_last_not_of('\n') + 1);
           })
      .def("_repr_html_", html_of);
  auto module = nb::borrow<nb::class_<nn::Module, PythonModule>>(m.attr("Module"));
  module.def("summary", summary_of, "input"_a = nb::make_tuple(1, 1, 28, 28),
             nb::sig("def summary(self, input: tuple[int, ...] = (1, 1, 28, 28)) -> Summary"),
             "Runs the net once on zeros of this shape (first axis: batch) and reports every module that "
             "computed something.");
}

}  // namespace uncial::python
