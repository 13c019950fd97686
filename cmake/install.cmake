# How uncial is installed and found: a CMake package, a pkg-config file, headers, data and licences.
# Everything is found relative to its own place, so an installed tree may be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(BUILD_SHARED_LIBS AND NOT APPLE AND NOT UNCIAL_TESTS)  # tests look inside
  set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  target_link_options(uncial PRIVATE LINKER:--version-script=${exports})
  set_property(TARGET uncial APPEND PROPERTY LINK_DEPENDS ${exports})
endif()

if(NOT UNCIAL_INSTALL)
  return()
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/uncial)
set(doc_dir ${CMAKE_INSTALL_DATADIR}/doc/uncial)

install(TARGETS uncial EXPORT uncialTargets)
install(DIRECTORY include/uncial DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/uncial/config.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/uncial)
install(DIRECTORY data/mnist DESTINATION ${CMAKE_INSTALL_DATADIR}/uncial/data)
install(FILES data/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/uncial/data)  # origin and licence of the data
install(FILES LICENSE THIRD_PARTY.md DESTINATION ${doc_dir})

# ---- CMake package: a shared libuncial needs nothing of its user's; a static one what it was built with.
set(UNCIAL_PACKAGE_DEPENDENCIES "")
set(UNCIAL_PC_REQUIRES "")
if(NOT BUILD_SHARED_LIBS)
  if(UNCIAL_THREADS)
    string(APPEND UNCIAL_PACKAGE_DEPENDENCIES "find_dependency(Threads)\n")
  endif()
  if(TARGET ZLIB::ZLIB)
    string(APPEND UNCIAL_PACKAGE_DEPENDENCIES "find_dependency(ZLIB)\n")
    set(UNCIAL_PC_REQUIRES zlib)
  endif()
  if(UNCIAL_HAS_PNG)
    string(APPEND UNCIAL_PACKAGE_DEPENDENCIES "find_dependency(PNG)\n")
    string(APPEND UNCIAL_PC_REQUIRES " libpng")
  endif()
  if(UNCIAL_HAS_CURL)
    string(APPEND UNCIAL_PACKAGE_DEPENDENCIES "find_dependency(CURL)\n")
    string(APPEND UNCIAL_PC_REQUIRES " libcurl")
  endif()
  set(UNCIAL_PC_LIBS "${CMAKE_THREAD_LIBS_INIT}")
  foreach(library ${CMAKE_DL_LIBS})
    string(APPEND UNCIAL_PC_LIBS " -l${library}")
  endforeach()
endif()

configure_package_config_file(cmake/uncialConfig.cmake.in uncialConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(uncialConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT uncialTargets NAMESPACE uncial:: DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/uncialConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/uncialConfigVersion.cmake
  DESTINATION ${package_dir})

# ---- pkg-config
file(RELATIVE_PATH UNCIAL_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/uncial.pc.in uncial.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/uncial.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- The programs and the pipeline that runs them
if(UNCIAL_PROGRAMS)
  file(RELATIVE_PATH lib_from_bin /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
  get_property(targets DIRECTORY examples PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL EXECUTABLE)
      set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
      install(TARGETS ${target} DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
  endforeach()
  install(PROGRAMS run_pipeline.sh DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY examples/models DESTINATION ${CMAKE_INSTALL_DATADIR}/uncial OPTIONAL FILES_MATCHING PATTERN "*.json")
endif()
