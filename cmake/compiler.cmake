# An older compiler would fail later, with messages that do not say why. Also for `cmake -P`: a test reads the message.
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12) OR
   (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14))
  message(FATAL_ERROR "uncial needs g++ 12, clang 14 or newer, got ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. "
                      "Install one and name it: -DCMAKE_CXX_COMPILER=g++-12.")
endif()
