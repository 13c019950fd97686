#pragma once
/// @file thread_pool.h
/// The library's own pool: thread_pool.cpp, or thread_pool_absent.cpp in a build without threads. Internal.

#include <memory>

#include "uncial/core/parallel.h"

namespace uncial {

/// A pool of `threads` threads, 0 to 1024; 0 takes all cores.
std::shared_ptr<ThreadPool> start_thread_pool(int threads);

/// Set while this thread runs tasks of such a pool: calls of parallel_for from there run inline.
bool& inside_task();

}  // namespace uncial
