# The emscripten that is on the PATH (Debian: emscripten), wherever it lies.
find_program(UNCIAL_EM_CONFIG em-config)
mark_as_advanced(UNCIAL_EM_CONFIG)
if(NOT UNCIAL_EM_CONFIG)
  message(FATAL_ERROR "em-config was not found. Install emscripten (Debian: emscripten), or put the one of an emsdk on the PATH.")
endif()
execute_process(COMMAND ${UNCIAL_EM_CONFIG} EMSCRIPTEN_ROOT OUTPUT_VARIABLE UNCIAL_EMSCRIPTEN OUTPUT_STRIP_TRAILING_WHITESPACE)
include(${UNCIAL_EMSCRIPTEN}/cmake/Modules/Platform/Emscripten.cmake)
