#pragma once
/// @file host_device.h
/// Marks a function that g++ and nvcc both compile, so that one formula serves every backend.

#if defined(__CUDACC__)
#define UNCIAL_HD __host__ __device__
#else
#define UNCIAL_HD
#endif
