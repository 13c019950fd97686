#include "uncial/train/model_file.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "train/small_runs.h"
#include "uncial/io/safetensors.h"
#include "uncial/train/evaluate.h"

using namespace uncial;
using namespace uncial::test;

namespace {

class Custom final : public nn::Module {
 public:
  Tensor forward(const Tensor& x, nn::Context& context) const override { return dense.forward(x, context); }
  std::string_view kind() const override { return "custom"; }
  void visit(nn::Fields& fields) override { fields.child("dense", dense); }
  std::shared_ptr<nn::Module> copy() const override { return std::make_shared<Custom>(*this); }
  nn::Dense dense{4, 2};
};

}  // namespace

TEST_CASE("A model file rebuilds the net from nothing else", "[train]") {
  const TempFolder folder;
  nn::Sequential net = small_net(3);
  train::fit(net, blobs(64, 1), {.epochs = 1, .batch = 16});
  train::save_model(folder / "net.safetensors", net, net.state_dict(), {{"note", "grüße"}});
  const train::LoadedModel loaded = train::load_model(folder / "net.safetensors");
  CHECK(digest_of(*loaded.net) == digest_of(net));
  CHECK(loaded.metadata.at("note") == "grüße");
  const std::string bytes = read_bytes(folder / "net.safetensors");
  const train::LoadedModel from_memory = train::load_model(std::as_bytes(std::span(bytes)), "a net");
  CHECK(digest_of(*from_memory.net) == digest_of(net));
  CHECK(from_memory.metadata == loaded.metadata);
  check_error(
      ErrorKind::data, [&] { train::load_model({}, "a net"); }, "a net", "0 bytes");
  const data::Dataset data = blobs(40, 2);
  CHECK(train::evaluate(*loaded.net, data).loss == train::evaluate(net, data).loss);
}

TEST_CASE("A model file keeps float64 and other weights than the net's own", "[train]") {
  const TempFolder folder;
  nn::Sequential net(nn::Flatten(), nn::Dense(4, 2)), other(nn::Flatten(), nn::Dense(4, 2));
  other.initialize({.seed = 9});
  net.to(DType::float64);
  other.to(DType::float64);
  train::save_model(folder / "a.safetensors", net, other.state_dict());
  CHECK(digest_of(*train::load_model(folder / "a.safetensors").net) == digest_of(other));
}

TEST_CASE("A net of the user's own is saved, but cannot be built from the file", "[train]") {
  const TempFolder folder;
  const Custom net;
  train::save_model(folder / "custom.safetensors", net, net.state_dict());
  check_error(
      ErrorKind::data, [&] { train::load_model(folder / "custom.safetensors"); }, "custom.safetensors",
      "no description of the network", "load_state_dict");
  Custom other;
  other.initialize({.seed = 4});
  other.load_state_dict(io::load_safetensors(folder / "custom.safetensors").tensors);
  CHECK(digest_of(other) == digest_of(net));
}

TEST_CASE("Bad model files are refused by name", "[train]") {
  const TempFolder folder;
  const auto path = folder / "bad.safetensors";
  const nn::Sequential net = small_net();
  const auto refuses = [&](ErrorKind kind, const auto&... parts) {
    check_error(
        kind, [&] { train::load_model(path); }, "bad.safetensors", parts...);
  };
  refuses(ErrorKind::io);
  train::save_model(path, net, net.state_dict());
  const io::TensorFile good = io::load_safetensors(path);

  io::TensorFile file = good;
  file.metadata["format_version"] = "2";
  io::save_safetensors(path, file);
  refuses(ErrorKind::data, "format version '2', expected 1");

  file = good;
  file.metadata["network"] = "{\"kind\": \"nonsense\"}";
  io::save_safetensors(path, file);
  refuses(ErrorKind::data, "nonsense");

  file = good;
  file.tensors.pop_back();
  io::save_safetensors(path, file);
  refuses(ErrorKind::data, good.tensors.back().first.c_str());

  const std::string bytes = read_bytes(path);
  write_bytes(path, bytes.substr(0, bytes.size() - 1));
  refuses(ErrorKind::data);
}
