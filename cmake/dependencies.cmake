# Packages the library is built with. scripts/install_dependencies.sh has their Debian names, and
# docs/decisions/0001-dependencies.md says why these.
if(EMSCRIPTEN)
  include(cmake/wasm.cmake)
else()
  find_package(Eigen3 3.3 REQUIRED NO_MODULE)
  find_package(nlohmann_json 3.9 REQUIRED)
endif()
if(UNCIAL_THREADS)
  find_package(Threads REQUIRED)
endif()
if(UNCIAL_TRAINING OR NOT UNCIAL_PNG STREQUAL "OFF")  # compressed data sets, PNG files
  find_package(ZLIB REQUIRED)
endif()

# uncial_component(NAME PACKAGE PURPOSE): sets UNCIAL_HAS_NAME to true or false, as config.h spells it.
function(uncial_component name package purpose)
  set(found false)
  if(NOT UNCIAL_${name} STREQUAL "OFF")
    find_package(${package} QUIET)
    if(${package}_FOUND)
      set(found true)
    elseif(UNCIAL_${name} STREQUAL "AUTO")
      message(STATUS "uncial: ${package} not found, built without ${purpose} (UNCIAL_${name}=ON to insist)")
    else()
      message(FATAL_ERROR "UNCIAL_${name}=ON, but ${package} was not found. Install it, or pass -DUNCIAL_${name}=OFF "
                          "to build without ${purpose}.")
    endif()
  endif()
  set(UNCIAL_HAS_${name} ${found} PARENT_SCOPE)
endfunction()
uncial_component(CURL CURL "downloads of data sets")
uncial_component(PNG PNG "reading PNG files")
uncial_component(BENCHMARKS benchmark "benchmarks")
