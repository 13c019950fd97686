#pragma once
/// @file nn.h
/// Everything networks are made of.
#include "uncial/nn/activations.h"
#include "uncial/nn/containers.h"
#include "uncial/nn/context.h"
#include "uncial/nn/init.h"
#include "uncial/nn/layers.h"
#include "uncial/nn/module.h"
#include "uncial/nn/network.h"
#include "uncial/nn/norm.h"
#include "uncial/nn/pooling.h"
#include "uncial/nn/summary.h"
