#include "cli/program.h"

#include <algorithm>
#include <cstdlib>

#include "cli/paths.h"
#include "cli/program_state.h"
#include "uncial/config.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

constexpr Range<int64_t> kThreads{0, 1024};

/// An environment variable's value; set but empty counts as absent.
std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

Device parse_device(const std::string& text) {
  if (text == "cpu") return Device::cpu();
  require(text == "cuda" || (text.starts_with("cuda:") && text.size() > 5), "--device: got ",
          io::printable(text), ", expected cpu, cuda or cuda:N.");
  const int64_t index =
      text == "cuda" ? 0 : parse_number("--device cuda:N", text.substr(5), Range<int64_t>{0, 255});
  if (!cuda::available())
    fail(ErrorKind::device, "--device ", text, ": ", cuda::why_unavailable(), "; use --device cpu.");
  if (index >= cuda::device_count())
    fail(ErrorKind::device, "--device ", text, ": this machine has ", cuda::device_count(), " GPU",
         cuda::device_count() == 1 ? "" : "s", "; use --device cuda:0.");
  return Device::cuda(int(index));
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) (text += text.empty() ? "" : separator) += word;
  return text;
}

void check_choice(const std::string& name, const std::string& value,
                  const std::vector<std::string>& choices) {
  require(std::find(choices.begin(), choices.end(), value) != choices.end(), name, ": got ",
          io::printable(value), ", expected one of ", joined(choices, ", "), ".");
}

std::string range_text(const auto& range) {
  return join(range.above ? "above " : "", range.low, range.above ? ", up to " : "..", range.high);
}

}  // namespace

CLI::Option* Program::State::add(const std::string& flag_name, const std::string& help,
                                 const std::string& placeholder, const std::string& value,
                                 std::function<void(const std::string&)> apply) {
  CLI::Option* option = app.add_option(
      flag_name, [](const CLI::results_t&) { return true; }, help);
  option->type_name(placeholder)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (!value.empty()) option->default_str(value);
  flags.push_back({option, flag_name, false,
                   [apply = std::move(apply)](const std::vector<std::string>& words) { apply(words[0]); }});
  return option;
}

Program::Program(std::string name, const std::string& description, int argc, char** argv)
    : state_(new State(std::move(name), description, argc, argv)) {
  state_->app.set_help_flag("-h,--help", "Print this and exit");
  state_->app.set_version_flag("--version", state_->name + " (uncial) " UNCIAL_VERSION,
                               "Print the version and exit");
  state_->app.get_formatter()->column_width(34);

  state_->add("--out", "Folder for data/, models/ and figures/", "DIR", default_root().native(),
              [this](const std::string& word) {
                require(!word.empty(), "--out: got nothing, expected a folder.");
                common_.out = word;
              });
  state_->add("--seed", "Start of all random numbers", "N", "1",
              [this](const std::string& word) { common_.seed = parse_seed("--seed", word); });
  state_->add("--threads", "Threads, 0..1024; 0 takes all cores", "N", "0", [this](const std::string& word) {
    common_.threads = int(parse_number("--threads", word, kThreads));
  });
  state_->add("--device", "cpu, cuda or cuda:N", "DEVICE", "cpu",
              [this](const std::string& word) { common_.device = parse_device(word); });
  state_->add("--json", "Write the results to this file, too", "FILE", "", [this](const std::string& word) {
    require(!word.empty(), "--json: got nothing, expected a file name.");
    common_.json = word;
  });
  flag("--quiet", common_.quiet, "No progress and no remarks");
  flag("--overwrite", common_.overwrite, "Replace files in the way that these programs did not make");
}

Program::~Program() = default;

const std::string& Program::name() const { return state_->name; }

void Program::flag(const std::string& name, bool& value, const std::string& help) {
  CLI::Option* option = state_->app.add_flag(name, help);
  option->disable_flag_override();
  state_->flags.push_back({option, name, false, [&value](const auto&) { value = true; }});
}

void Program::number(const std::string& name, int64_t& value, Range<int64_t> range, const std::string& help) {
  state_->add(name, help + " (" + range_text(range) + ")", "N", std::to_string(value),
              [&value, name, range](const std::string& word) { value = parse_number(name, word, range); });
}

void Program::number(const std::string& name, std::optional<int64_t>& value, Range<int64_t> range,
                     const std::string& help) {
  state_->add(name, help + " (" + range_text(range) + ")", "N", "",
              [&value, name, range](const std::string& word) { value = parse_number(name, word, range); });
}

void Program::number(const std::string& name, std::optional<double>& value, Range<double> range,
                     const std::string& help) {
  state_->add(name, help + " (" + range_text(range) + ")", "X", "",
              [&value, name, range](const std::string& word) { value = parse_number(name, word, range); });
}

void Program::text(const std::string& name, std::string& value, const std::string& help,
                   const std::string& placeholder) {
  state_->add(name, help, placeholder, value, [&value](const std::string& word) { value = word; });
}

void Program::choice(const std::string& name, std::string& value, const std::vector<std::string>& choices,
                     const std::string& help) {
  state_->add(name, help, joined(choices, "|"), value, [&value, name, choices](const std::string& word) {
    check_choice(name, word, choices);
    value = word;
  });
}

void Program::choice(const std::string& name, std::optional<std::string>& value,
                     const std::vector<std::string>& choices, const std::string& help) {
  state_->add(name, help, joined(choices, "|"), "", [&value, name, choices](const std::string& word) {
    check_choice(name, word, choices);
    value = word;
  });
}

void Program::list(const std::string& name, std::vector<std::string>& values, const std::string& help,
                   const std::string& placeholder) {
  CLI::Option* option = state_->add(name, help, placeholder, "", {});
  const bool positional = !name.starts_with("-");
  if (positional) option->expected(0, CLI::detail::expected_max_vector_size)->allow_extra_args();
  state_->flags.back().repeatable = true;
  state_->flags.back().apply = [&values](const std::vector<std::string>& words) { values = words; };
}

void Program::parse() {
  try {
    state_->app.parse(state_->argc, state_->argv);
  } catch (const CLI::CallForHelp&) {
    write(state_->app.help());
    throw Answered();
  } catch (const CLI::CallForVersion& version) {
    write(std::string(version.what()) + "\n");
    throw Answered();
  } catch (const CLI::ExtrasError&) {
    fail(ErrorKind::usage, "got ", io::printable(joined(state_->app.remaining(), " ")), ", which ", name(),
         " does not know. See ", name(), " --help.");
  } catch (const CLI::ParseError& error) {
    fail(ErrorKind::usage, io::printable(error.what()), ". See ", name(), " --help.");
  }
  for (const State::Flag& flag : state_->flags) {
    const size_t count = flag.option->count();
    require(count <= 1 || flag.repeatable, flag.name, ": given ", count, " times, expected once.");
    if (count > 0) flag.apply(flag.option->results());
  }

  if (const auto isa_name = environment("UNCIAL_ISA")) {
    if (const std::vector<std::string> known = isas(); *isa_name != "amx-emulated")
      check_choice("UNCIAL_ISA", *isa_name, known);
    set_isa(*isa_name);
  }
  int threads = common_.threads;
  if (const auto text = environment("UNCIAL_NUM_THREADS"))
    if (const int wanted = int(parse_number("UNCIAL_NUM_THREADS", *text, kThreads)); threads == 0)
      threads = wanted;
  if (threads != 0) set_num_threads(threads);
}

std::stop_token Program::stop_token() { return state_->signals.token(); }

void Program::throw_if_stopped(const std::string& advice) const {
  if (const int number = state_->signals.received())
    fail(ErrorKind::stopped, name(), ": stopped by ", signal_name(number), ".", advice.empty() ? "" : " ",
         advice);
}

std::string Program::resume_command() const {
  const auto quoted = [](std::string_view word) {
    const std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%";
    if (!word.empty() && word.find_first_not_of(plain) == word.npos) return std::string(word);
    std::string text = "'";
    for (const char c : word) c == '\'' ? text += "'\\''" : text += c;
    return text + "'";
  };
  std::string command;
  bool resumes = false;
  for (int i = 0; i < state_->argc; ++i) {
    resumes |= i > 0 && std::string_view(state_->argv[i]) == "--resume";
    (command += i > 0 ? " " : "") += quoted(state_->argv[i]);
  }
  return resumes ? command : command + " --resume";
}

}  // namespace uncial::cli
