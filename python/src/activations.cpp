#include "activations.h"

#include "uncial/autograd/grad_mode.h"

namespace uncial::python {

std::vector<Activation> activations_of(const nn::Module& net, nb::handle input) {
  Spec like;
  like.device = net.device();
  for (const Tensor& parameter : net.parameters())
    if (is_floating(parameter.dtype())) like.dtype = parameter.dtype();
  Tensor x = input_like(input, like).detach().to(like.device);
  if (is_floating(x.dtype())) x = x.to(like.dtype);
  if (x.rank() == 3) x = x.unsqueeze(0);
  std::vector<Activation> all;
  nn::Context context(nn::Mode::eval);
  context.set_observer([&](const std::string& path, const nn::Module& layer, const Tensor&, const Tensor& y) {
    all.push_back({path, std::string(layer.kind()), y.detach().to(Device::cpu()).contiguous()});
  });
  const nb::gil_scoped_release unlocked;
  const NoGrad no_grad;
  context.run("", net, x);
  // The net itself comes last, with what its last layer gave.
  if (all.size() > 1 && all.back().path.empty()) all.pop_back();
  return all;
}

}  // namespace uncial::python
