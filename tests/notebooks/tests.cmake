# The notebooks as they lie in the repository. scripts/run_notebooks.py runs them: a part of run_tests.sh.
add_test(NAME notebooks COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/check.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(notebooks PROPERTIES LABELS notebooks SKIP_RETURN_CODE 77)
