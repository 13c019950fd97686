#include <algorithm>

#include "uncial/vision/augment.h"
#include "vision/batch.h"

namespace uncial::vision {
namespace {

class Composition final : public Transform {
 public:
  explicit Composition(std::vector<Augment> parts) : parts_(std::move(parts)) {}

  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const override {
    for (const Augment& part : parts_) {
      part->apply(images, indices, key);
      ++key.position;
    }
  }

  bool replayable() const override {
    return std::all_of(parts_.begin(), parts_.end(), [](const Augment& part) { return part->replayable(); });
  }

  void replay(const View& images, const View& indices, const View& draw, uint32_t position) const override {
    for (const Augment& part : parts_) part->replay(images, indices, draw, position++);
  }

  std::string describe() const override {
    std::string text;
    for (const Augment& part : parts_) {
      if (!text.empty()) text += ", ";
      text += part->describe();
    }
    return join("compose(", text, ")");
  }

  const std::vector<Augment>& parts() const { return parts_; }

 private:
  std::vector<Augment> parts_;
};

}  // namespace

Augment Compose(std::vector<Augment> parts) {
  std::vector<Augment> flat;  // nested compositions are opened, so that every part has a position of its own
  for (const Augment& part : parts) {
    require(part != nullptr, "Compose: part ", &part - parts.data(), " is empty.");
    if (const auto* inner = dynamic_cast<const Composition*>(part.get()))
      flat.insert(flat.end(), inner->parts().begin(), inner->parts().end());
    else
      flat.push_back(part);
  }
  require(flat.size() <= kMaxParts, "Compose: got ", flat.size(), " parts, expected at most ", kMaxParts,
          ".");
  return std::make_shared<Composition>(std::move(flat));
}

}  // namespace uncial::vision
