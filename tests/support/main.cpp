// Catch2 v2 wants its main compiled once; v3 brings one along.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#endif
#include "catch.h"
