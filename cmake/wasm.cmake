# What a build for WebAssembly needs besides: flags, and packages of the host that are headers only.

# Exceptions of the processor's own (WebAssembly EH): they cost nothing until one is thrown, where emscripten's calls into
# JavaScript around every call that may throw. The kernels' vectors of 16 bytes are WebAssembly's SIMD.
set(wasm_flags -fwasm-exceptions -sSUPPORT_LONGJMP=0 -msimd128)
add_compile_options(${wasm_flags} "SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/wasm_bit_cast.h")
add_link_options(${wasm_flags})

# Through a link in a folder of their own: beside them lie the host's C headers, which must not be found.
function(uncial_host_headers target header)
  get_filename_component(folder ${header} DIRECTORY)
  string(MAKE_C_IDENTIFIER "UNCIAL_HEADERS_${folder}" place)
  find_path(${place} ${header} PATHS /usr/include /usr/local/include PATH_SUFFIXES eigen3 NO_CMAKE_FIND_ROOT_PATH
    DOC "Folder that holds ${header}")
  mark_as_advanced(${place})
  if(NOT ${place})
    message(FATAL_ERROR "${header} was not found. scripts/install_dependencies.sh --tests installs them; "
                        "or pass -D${place}=FOLDER.")
  endif()
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/host_headers)
  file(CREATE_LINK ${${place}}/${folder} ${PROJECT_BINARY_DIR}/host_headers/${folder} SYMBOLIC)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} INTERFACE ${PROJECT_BINARY_DIR}/host_headers)
endfunction()
uncial_host_headers(Eigen3::Eigen Eigen/Core)
uncial_host_headers(nlohmann_json::nlohmann_json nlohmann/json.hpp)
if(UNCIAL_TESTS)
  uncial_host_headers(Catch2::Catch2 catch2/catch.hpp)
endif()
