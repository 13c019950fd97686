# cpp-httplib as Debian packs it: a library with a pkg-config file, which says how it was built (that changes the layout of
# classes) and needs the files of what it was built with. Sets Httplib_FOUND and makes Httplib::Httplib.
#
# 0.11 is tested; from 0.16 on the part that src/cli/bounded_server.* overrides looks different.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(Httplib QUIET IMPORTED_TARGET GLOBAL cpp-httplib>=0.11 cpp-httplib<0.16)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Httplib REQUIRED_VARS Httplib_LINK_LIBRARIES)
if(Httplib_FOUND AND NOT TARGET Httplib::Httplib)
  add_library(Httplib::Httplib INTERFACE IMPORTED GLOBAL)
  target_link_libraries(Httplib::Httplib INTERFACE PkgConfig::Httplib)
endif()
