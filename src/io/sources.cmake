target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/atomic_file.cpp
  ${CMAKE_CURRENT_LIST_DIR}/base64.cpp
  ${CMAKE_CURRENT_LIST_DIR}/posix.cpp
  ${CMAKE_CURRENT_LIST_DIR}/printable.cpp
  ${CMAKE_CURRENT_LIST_DIR}/safetensors.cpp
  ${CMAKE_CURRENT_LIST_DIR}/safetensors_header.cpp
)
target_link_libraries(uncial PRIVATE $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)  # headers only: users need no package
if(TARGET ZLIB::ZLIB)
  target_sources(uncial PRIVATE
    ${CMAKE_CURRENT_LIST_DIR}/inflate.cpp
    ${CMAKE_CURRENT_LIST_DIR}/png_chunks.cpp
    ${CMAKE_CURRENT_LIST_DIR}/zip.cpp
  )
  target_link_libraries(uncial PRIVATE ZLIB::ZLIB)
endif()
if(UNCIAL_HAS_PNG)
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/png_read.cpp)
  target_link_libraries(uncial PRIVATE PNG::PNG)
else()
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/png_absent.cpp)
endif()
