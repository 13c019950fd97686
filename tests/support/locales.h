#pragma once
/// Locales that write numbers and letters otherwise, whether this machine has them or not.

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <locale>
#include <string>

#include "support/temp_folder.h"

namespace uncial::test {

/// Calls `body` under de_DE (decimal comma) and tr_TR (the capital of i is no I), both of C and of C++
/// streams, and brings back the classic one. The locales are compiled on the spot; where localedef or its
/// sources are missing it says so in a line "SKIPPED: ...".
inline void for_each_locale(const std::function<void(const std::string&)>& body) {
  for (const std::string language : {"de_DE", "tr_TR"}) {
    const TempFolder folder;
    const std::string name = language + ".UTF-8";
    const std::string compile = "localedef -i " + language + " -f UTF-8 '" + (folder / name).native() + "'";
    ::setenv("LOCPATH", folder.path().c_str(), 1);
    const bool made = std::system((compile + " >/dev/null 2>&1").c_str()) >= 0;
    if (made && std::setlocale(LC_ALL, name.c_str())) {
      const std::locale before = std::locale::global(std::locale(name));
      body(name);
      std::locale::global(before);
      std::setlocale(LC_ALL, "C");
    } else {
      std::printf("SKIPPED: %s: localedef cannot make it here (Debian: locales)\n", name.c_str());
    }
    ::unsetenv("LOCPATH");
  }
}

}  // namespace uncial::test
