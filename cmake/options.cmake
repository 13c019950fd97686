# What can be switched. AUTO takes a component when its packages are found and says why when not;
# ON fails configuring without them.
option(BUILD_SHARED_LIBS "Build libuncial.so instead of libuncial.a" OFF)
option(UNCIAL_PROGRAMS "Build the example programs" ${PROJECT_IS_TOP_LEVEL})
option(UNCIAL_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(UNCIAL_INSTALL "Make rules to install uncial" ${PROJECT_IS_TOP_LEVEL})
option(UNCIAL_WERROR "Treat warnings as errors" OFF)
foreach(component CURL PNG)
  set(UNCIAL_${component} AUTO CACHE STRING "Build with ${component}: AUTO, ON or OFF")
  set_property(CACHE UNCIAL_${component} PROPERTY STRINGS AUTO ON OFF)
endforeach()
set(UNCIAL_HAS_CUDA false)
# g++ 12 sees overlapping copies in any `text + std::string` that it inlines (GCC bug 105651, fixed in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)
endif()
if(UNCIAL_WERROR)
  add_compile_options(-Werror)
endif()
