#pragma once
/// @file log.h
/// Where messages go. The library itself writes nothing: without a sink they vanish.

#include <functional>
#include <string>
#include <string_view>

namespace uncial {

enum class LogLevel { trace, info, warning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Sets the receiver of all messages (called from any thread, one at a time); an empty one drops them.
void set_log_sink(LogSink sink);
/// Hands a message to the sink.
void log(LogLevel level, std::string_view message);
/// True when a sink is set, so that costly messages need not be built otherwise.
bool log_enabled();

}  // namespace uncial
