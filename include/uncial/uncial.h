#pragma once
/// @file uncial.h
/// The whole public library.

#include "uncial/autograd/grad_mode.h"
#include "uncial/core/isa.h"
#include "uncial/core/log.h"
#include "uncial/core/parallel.h"
#include "uncial/core/random.h"
#include "uncial/core/tensor.h"
#include "uncial/data/dataset.h"
#include "uncial/data/loader.h"
#include "uncial/data/mnist.h"
#include "uncial/io/safetensors.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"
#include "uncial/optim/schedule.h"
#include "uncial/program/compile.h"
#include "uncial/program/profile.h"
#include "uncial/train/evaluate.h"
#include "uncial/train/fit.h"
#include "uncial/train/model_file.h"
#include "uncial/vision/augment.h"
