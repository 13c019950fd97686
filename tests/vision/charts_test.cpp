#include "uncial/vision/charts.h"

#include <cmath>
#include <set>

#include "support/errors.h"
#include "vision/axis.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

namespace {

/// Device pixels of exactly this colour inside a box given in canvas pixels.
int64_t count_of(const Canvas& canvas, Colour colour, double x = 0, double y = 0, double w = 1e6,
                 double h = 1e6) {
  const Tensor p = canvas.pixels();
  const int64_t H = p.size(1), W = p.size(2), scale = H / canvas.height();
  const uint8_t* v = p.data<uint8_t>();
  int64_t count = 0;
  for (int64_t j = 0; j < H; ++j)
    for (int64_t i = 0; i < W; ++i) {
      const bool inside = double(i) >= x * double(scale) && double(i) < (x + w) * double(scale) &&
                          double(j) >= y * double(scale) && double(j) < (y + h) * double(scale);
      count += inside && Colour{v[j * W + i], v[H * W + j * W + i], v[2 * H * W + j * W + i]} == colour;
    }
  return count;
}

/// Nothing is cut: the outermost pixels are paper.
bool has_clean_rim(const Canvas& canvas) {
  const double w = canvas.width(), h = canvas.height();
  const auto blank = [&](double x, double y, double bw, double bh, double pixels) {
    return count_of(canvas, palette::white, x, y, bw, bh) == int64_t(pixels * 4);
  };
  return blank(0, 0, w, 1, w) && blank(0, h - 1, w, 1, w) && blank(0, 0, 1, h, h) && blank(w - 1, 0, 1, h, h);
}

LineChart loss_chart() {
  Series training{.label = "training", .x = {}, .y = {}},
      validation{.label = "validation", .x = {}, .y = {}, .colour = palette::orange, .dashed = true};
  for (int epoch = 1; epoch <= 8; ++epoch) {
    training.x.push_back(epoch), validation.x.push_back(epoch);
    training.y.push_back(1.0 / epoch), validation.y.push_back(0.1 + 0.5 / epoch);
  }
  return {.title = "Loss", .x_label = "epoch", .y_label = "cross-entropy", .series = {training, validation}};
}

}  // namespace

TEST_CASE("axes have ticks at 1, 2 or 5 times a power of ten", "[vision]") {
  const Axis a = make_axis({.low = 0.13, .high = 0.87, .ticks = 5});
  CHECK(a.labels == std::vector<std::string>{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(a.place(0) == 0);
  CHECK(a.place(1) == 1);
  CHECK(make_axis({.low = 97.1, .high = 99.4, .ticks = 6}).labels ==
        std::vector<std::string>{"97.0", "97.5", "98.0", "98.5", "99.0", "99.5"});
  CHECK(make_axis({.low = -3, .high = 11, .ticks = 3}).labels ==
        std::vector<std::string>{"\u22125", "0", "5", "10", "15"});
  CHECK(make_axis({.low = 1, .high = 3, .ticks = 20, .whole = true, .margin = 0.02}).labels ==
        std::vector<std::string>{"1", "2", "3"});
  CHECK(make_axis({.low = 0.02, .high = 0.4, .ticks = 8, .log = true}).labels ==
        std::vector<std::string>{"0.02", "0.05", "0.1", "0.2", "0.5"});
  CHECK(make_axis({.low = 1e-7, .high = 3, .ticks = 4, .log = true}).ticks.size() <= 6);
  const Axis same = make_axis({.low = 5, .high = 5});
  CHECK(same.low < 5);
  CHECK(same.high > 5);
  CHECK(std::isnan(make_axis({.low = 0.1, .high = 1, .log = true}).place(0)));
  for (double low : {0.0, -1.0, 1e-12, 1e9})
    for (double span : {1e-9, 0.3, 7.0, 1e12}) {
      const Axis axis = make_axis({.low = low, .high = low + span});
      CHECK(axis.ticks.size() >= 2);
      CHECK(axis.ticks.size() <= 12);
      CHECK(axis.place(low) > -1e-6);
      CHECK(axis.place(low + span) < 1 + 1e-6);
    }
  CHECK(format_fixed(-1.25, 1) == "\u22121.2");
}

TEST_CASE("a line chart shows both curves, and nothing is cut", "[vision]") {
  const LineChart chart = loss_chart();
  const Canvas canvas = chart_figure({chart, chart}, 420, 320);
  CHECK(canvas.width() == 840);
  CHECK(has_clean_rim(canvas));
  for (double left : {0.0, 420.0}) {
    CHECK(count_of(canvas, palette::blue, left, 80, 420, 240) > 500);
    CHECK(count_of(canvas, palette::orange, left, 80, 420, 240) > 300);
    CHECK(count_of(canvas, palette::blue, left, 0, 420, 70) > 20);  // the legend
  }
  LineChart solid = chart;
  solid.series[1].dashed = false;
  CHECK(count_of(chart_figure({solid}, 420, 320), palette::orange, 0, 80) >
        count_of(chart_figure({chart}, 420, 320), palette::orange, 0, 80));
}

TEST_CASE("a line chart clips at fixed ends and survives odd data", "[vision]") {
  LineChart chart = loss_chart();
  chart.y_low = 0.2, chart.y_high = 0.4;
  const Canvas clipped = chart_figure({chart}, 420, 320);
  CHECK(count_of(clipped, palette::blue, 0, 80) > 50);
  CHECK(count_of(clipped, palette::blue, 0, 57, 420, 5) == 0);  // between legend and plot
  CHECK(count_of(clipped, palette::blue, 0, 270) == 0);         // below the plot

  LineChart odd{.title = "odd",
                .series = {{.label = "a", .x = {1, 2, 3}, .y = {NAN, INFINITY, NAN}}, {.x = {}, .y = {}}}};
  CHECK(has_clean_rim(chart_figure({odd})));
  odd.series[0].y = {0, -1, 2};
  odd.log_y = true;
  CHECK(count_of(chart_figure({odd}), palette::blue, 0, 70) > 20);  // the one positive point
  CHECK(has_clean_rim(chart_figure({LineChart{}})));
  odd.series[0].x = {-1, 0, 3};
  odd.log_x = true;
  CHECK(count_of(chart_figure({odd}), palette::blue, 0, 70) > 20);  // again the last
  odd.y_low = 0;
  check_error(
      ErrorKind::usage, [&] { chart_figure({odd}); }, "y_low > 0");
  check_error(
      ErrorKind::usage,
      [] {
        chart_figure({{.series = {{.label = "s", .x = {1, 2}, .y = {1}}}}});
      },
      "series \"s\" has 2 x and 1 y");
  check_error(
      ErrorKind::usage, [&] { chart_figure({chart}, 100, 60); }, "no room");
}

TEST_CASE("the mark of a line chart stands at its place", "[vision]") {
  LineChart chart = loss_chart();
  const auto grey_left_of_middle = [&](double x) {
    chart.marked_x = x, chart.mark_label = "best";
    const Canvas canvas = chart_figure({chart}, 420, 320);
    CHECK(has_clean_rim(canvas));
    return count_of(canvas, palette::grey, 0, 100, 240, 150) > 100;  // dashes, not the rim of a letter
  };
  CHECK(grey_left_of_middle(2));
  CHECK_FALSE(grey_left_of_middle(7));
}

TEST_CASE("bars are as high as their values", "[vision]") {
  const auto draw = [](const BarChart& chart) {
    Canvas canvas(400, 300);
    draw_bars(canvas, 0, 0, 400, 300, chart);
    CHECK(has_clean_rim(canvas));
    return canvas;
  };
  const BarChart chart{.title = "bars",
                       .y_label = "value",
                       .labels = {"a", "b", "c"},
                       .values = {4, 2, NAN},
                       .colours = {palette::blue, palette::orange, palette::green}};
  const Canvas canvas = draw(chart);
  const double blue = double(count_of(canvas, palette::blue)),
               orange = double(count_of(canvas, palette::orange));
  CHECK(blue / orange == Approx(2).epsilon(0.03));
  CHECK(count_of(canvas, palette::green) == 0);

  BarChart raised = chart;
  raised.low = 1, raised.errors = {0.5, 0.5, 0.5}, raised.value_texts = {"4.0", "2.0", ""};
  const Canvas from_one = draw(raised);
  CHECK(double(count_of(from_one, palette::blue)) / double(count_of(from_one, palette::orange)) ==
        Approx(3).epsilon(0.1));
  CHECK_NOTHROW(draw({.labels = {"only below"}, .values = {-3}}));
  CHECK_NOTHROW(draw({}));
  check_error(
      ErrorKind::usage,
      [&] {
        draw({.labels = {"a"}, .values = {1, 2}});
      },
      "2 values need as many labels, got 1");
}

TEST_CASE("a spread chart has a dot for each value at its height", "[vision]") {
  const auto draw = [](const SpreadChart& chart) {
    Canvas canvas(400, 300);
    draw_spread(canvas, 0, 0, 400, 300, chart);
    CHECK(has_clean_rim(canvas));
    return canvas;
  };
  SpreadChart chart{.title = "accuracy",
                    .y_label = "%",
                    .labels = {"a", "b"},
                    .values = {{99.1, 99.3, NAN}, {97.5}},
                    .colours = {palette::blue, palette::orange}};
  const Canvas canvas = draw(chart);
  const double dots = double(count_of(canvas, palette::blue)) / double(count_of(canvas, palette::orange));
  CHECK(dots > 1.6);  // two against one, each with the black line of its mean across
  CHECK(dots < 2.6);
  CHECK(count_of(canvas, palette::blue, 0, 0, 400, 150) == count_of(canvas, palette::blue));  // high up
  CHECK(count_of(canvas, palette::orange, 0, 150) == count_of(canvas, palette::orange));
  chart.values[1] = {NAN};
  chart.value_texts = {"99.20 ± 0.14", ""};
  CHECK(count_of(draw(chart), palette::orange) == 0);
  CHECK_NOTHROW(draw({}));
  CHECK_NOTHROW(draw({.labels = {"same"}, .values = {{5, 5, 5}}}));
  check_error(
      ErrorKind::usage,
      [&] {
        draw({.labels = {"a"}, .values = {{1}, {2}}});
      },
      "2 lists of values need as many labels, got 1");
  check_error(
      ErrorKind::usage,
      [&] {
        Canvas small(60, 40);
        draw_spread(small, 0, 0, 60, 40, chart);
      },
      "draw_spread", "no room");
}

TEST_CASE("markers differ in more than colour", "[vision]") {
  std::set<std::string> pictures;
  for (const Marker marker : {Marker::disc, Marker::ring, Marker::square, Marker::frame}) {
    const Canvas canvas =
        chart_figure({{.series = {{.x = {1, 2}, .y = {NAN, 1}, .marker = marker}}}}, 420, 320);
    CHECK(count_of(canvas, palette::blue) > 30);
    pictures.insert(canvas.png());
  }
  CHECK(pictures.size() == 4);
}

TEST_CASE("the confusion figure shows counts and rates", "[vision]") {
  const Tensor counts = tensor<int64_t>({90, 10, 0, 100}, Shape{2, 2});
  const Canvas canvas = confusion_figure(counts, {"cat", "dog"}, "Confusion");
  CHECK(has_clean_rim(canvas));
  // the strongest cell of each panel has the diagonal's full colour: 100 of 100, and 100 %
  for (double left : {0.0, canvas.width() / 2.0})
    CHECK(count_of(canvas, {0, 90, 140}, left, 0, canvas.width() / 2.0) > 3000);
  CHECK(has_clean_rim(confusion_figure(zeros({30, 30}, DType::int64),
                                       std::vector<std::string>(30, "a long class name"), "")));
  CHECK(has_clean_rim(confusion_figure(zeros({1, 1}, DType::int64), {"x"}, "")));
  check_error(
      ErrorKind::usage,
      [&] {
        confusion_figure(counts, {"a", "b", "c"}, "");
      },
      "(3, 3)", "(2, 2)");
  check_error(
      ErrorKind::usage,
      [&] {
        confusion_figure(zeros({2, 2}), {"a", "b"}, "");
      },
      "int64");
}

TEST_CASE("the image grid places images, captions and bars", "[vision]") {
  std::vector<GridCell> cells;
  for (int i = 0; i < 5; ++i)
    cells.push_back({.image = full({1, 28, 28}, 1), .caption = "caption", .caption_colour = palette::red});
  const Canvas grid =
      image_grid(cells, {.title = "Grid", .columns = 3, .cell = 60, .row_labels = {"one", "two"}});
  CHECK(has_clean_rim(grid));
  CHECK(count_of(grid, palette::black) >= 5 * 120 * 120);  // inverted: 1 is ink
  CHECK(count_of(grid, palette::red) > 5 * 20);
  CHECK(count_of(image_grid(cells, {.columns = 3, .cell = 60, .inverted = false}), palette::black) == 0);

  // A note and a heading take room of their own; columns that stand apart widen the picture.
  const Canvas plain = image_grid(cells, {.columns = 3, .cell = 60}),
               more = image_grid(cells, {.columns = 3,
                                         .cell = 60,
                                         .note = "a note",
                                         .headings = {{1, "the second row"}, {7, "no such row"}},
                                         .lead_columns = 1});
  CHECK(has_clean_rim(more));
  CHECK(more.height() > plain.height() + 20);
  CHECK(more.width() > plain.width());
  CHECK(count_of(more, palette::black) > count_of(plain, palette::black) + 200);  // the heading

  GridCell predicted{
      .image = full({28, 28}, 0), .bars = {0.1, 0.2, 0.7}, .true_class = 1, .predicted_class = 2};
  const Canvas bars = image_grid({predicted}, {.cell = 60});
  CHECK(has_clean_rim(bars));
  const double blue = double(count_of(bars, palette::blue)), red = double(count_of(bars, palette::red));
  CHECK(red / blue == Approx(3.5).epsilon(0.35));
  CHECK_NOTHROW(image_grid({}, {}));
  CHECK_NOTHROW(image_grid({GridCell{}}, {}));
  CHECK_NOTHROW(image_grid({{.image = rand({3, 10, 20}, 1)}}, {.inverted = false}));
  check_error(
      ErrorKind::usage, [] { image_grid({}, {.columns = 0}); }, "columns >= 1");
}

TEST_CASE("feature and filter figures show every map", "[vision]") {
  const Tensor input = rand({1, 28, 28}, 1);
  const Canvas features =
      feature_figure(input, {{"conv1", full({20, 8, 8}, 0)}, {"conv2", rand({4, 3, 3}, 2)}}, "Features");
  CHECK(has_clean_rim(features));
  // a constant map is drawn in the middle of its range: 16 squares of 56 pixels
  CHECK(count_of(features, viridis(0.5)) >= 16 * 112 * 112);
  // one negative value puts white at 0
  Tensor about_zero = zeros({1, 2, 2});
  about_zero.data<float>()[0] = -1, about_zero.data<float>()[1] = 1;
  const Canvas signed_maps = feature_figure(input, {{"conv", about_zero}}, "");
  CHECK(count_of(signed_maps, palette::blue) >= 56 * 56);
  CHECK(count_of(signed_maps, palette::red) >= 56 * 56);
  CHECK(count_of(signed_maps, viridis(0.5)) == 0);
  CHECK(has_clean_rim(signed_maps));
  CHECK(has_clean_rim(feature_figure(input, {}, "")));
  CHECK(has_clean_rim(feature_figure(input, {{"many", rand({64, 4, 4}, 2)}}, "64", 64)));
  check_error(
      ErrorKind::usage,
      [&] {
        feature_figure(input, {{"x", zeros({3, 3})}}, "");
      },
      "layer x", "(C, H, W)");

  Tensor weights = zeros({3, 1, 1, 2});
  weights.data<float>()[0] = 2, weights.data<float>()[1] = -2;
  const Canvas filters = filter_figure(weights, "Filters");
  CHECK(has_clean_rim(filters));
  CHECK(count_of(filters, palette::red) > 5000);
  CHECK(count_of(filters, palette::blue) > 5000);
  CHECK(has_clean_rim(filter_figure(randn({64, 40, 3, 3}, 1), "Many")));
  CHECK_NOTHROW(filter_figure(zeros({0, 1, 3, 3}), ""));
  check_error(
      ErrorKind::usage,
      [] {
        filter_figure(zeros({3, 3}), "");
      },
      "(K, C, R, S)");
}
