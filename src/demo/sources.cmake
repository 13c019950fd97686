# What the demo is compiled from; its test (tests/demo) compiles the same natively.
set(UNCIAL_DEMO_SOURCES ${CMAKE_CURRENT_LIST_DIR}/demo.cpp ${PROJECT_SOURCE_DIR}/src/cli/look.cpp ${PROJECT_SOURCE_DIR}/src/cli/page_info.cpp)
