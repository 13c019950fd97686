target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/catalogue.cpp
  ${CMAKE_CURRENT_LIST_DIR}/dataset.cpp
  ${CMAKE_CURRENT_LIST_DIR}/download.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fetch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/idx.cpp
  ${CMAKE_CURRENT_LIST_DIR}/idx_dataset.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_folder.cpp
  ${CMAKE_CURRENT_LIST_DIR}/load.cpp
  ${CMAKE_CURRENT_LIST_DIR}/loader.cpp
  ${CMAKE_CURRENT_LIST_DIR}/locate.cpp
)
if(UNCIAL_HAS_CURL)
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/transfer_curl.cpp)
  target_link_libraries(uncial PRIVATE CURL::libcurl)
else()
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/transfer_absent.cpp)
endif()

# Where the embedded data set is looked for; this one file alone depends on it.
include(GNUInstallDirs)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/locate.cpp TARGET_DIRECTORY uncial PROPERTIES COMPILE_DEFINITIONS
  "UNCIAL_DATA_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}/data\";UNCIAL_DATA_INSTALL_DIR=\"${CMAKE_INSTALL_FULL_DATADIR}/uncial/data\"")
target_link_libraries(uncial PRIVATE ${CMAKE_DL_LIBS})
