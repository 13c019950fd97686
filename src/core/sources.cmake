target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/dtype.cpp
  ${CMAKE_CURRENT_LIST_DIR}/factories.cpp
  ${CMAKE_CURRENT_LIST_DIR}/finite.cpp
  ${CMAKE_CURRENT_LIST_DIR}/host_memory.cpp
  ${CMAKE_CURRENT_LIST_DIR}/log.cpp
  ${CMAKE_CURRENT_LIST_DIR}/parallel.cpp
  ${CMAKE_CURRENT_LIST_DIR}/precision.cpp
  ${CMAKE_CURRENT_LIST_DIR}/print.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sha256.cpp
  ${CMAKE_CURRENT_LIST_DIR}/shape.cpp
  ${CMAKE_CURRENT_LIST_DIR}/storage.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tensor.cpp
)
if(UNCIAL_THREADS)
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/thread_pool.cpp)
else()
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/thread_pool_absent.cpp)
endif()
