target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/affine.cpp
  ${CMAKE_CURRENT_LIST_DIR}/axis.cpp
  ${CMAKE_CURRENT_LIST_DIR}/bar_chart.cpp
  ${CMAKE_CURRENT_LIST_DIR}/batch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/canvas.cpp
  ${CMAKE_CURRENT_LIST_DIR}/canvas_images.cpp
  ${CMAKE_CURRENT_LIST_DIR}/canvas_output.cpp
  ${CMAKE_CURRENT_LIST_DIR}/category_plot.cpp
  ${CMAKE_CURRENT_LIST_DIR}/colour.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compose.cpp
  ${CMAKE_CURRENT_LIST_DIR}/confusion_figure.cpp
  ${CMAKE_CURRENT_LIST_DIR}/elastic.cpp
  ${CMAKE_CURRENT_LIST_DIR}/feature_figure.cpp
  ${CMAKE_CURRENT_LIST_DIR}/font.cpp
  ${CMAKE_CURRENT_LIST_DIR}/image_grid.cpp
  ${CMAKE_CURRENT_LIST_DIR}/layout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/line_chart.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pixelwise.cpp
  ${CMAKE_CURRENT_LIST_DIR}/png_write.cpp
  ${CMAKE_CURRENT_LIST_DIR}/spread_chart.cpp
  ${CMAKE_CURRENT_LIST_DIR}/svg.cpp
)

# stb (libstb-dev): single headers, compiled inside font.cpp and png_write.cpp.
find_path(UNCIAL_STB_INCLUDE_DIR stb_truetype.h PATH_SUFFIXES stb
  DOC "Folder of stb_truetype.h and stb_image_write.h")
if(NOT UNCIAL_STB_INCLUDE_DIR)
  message(FATAL_ERROR "stb_truetype.h was not found. Install libstb-dev, "
                      "or pass -DUNCIAL_STB_INCLUDE_DIR=FOLDER.")
endif()
target_include_directories(uncial SYSTEM PRIVATE ${UNCIAL_STB_INCLUDE_DIR})

# The fonts (fonts-dejavu-core), embedded so that a built program needs no font files.
function(uncial_embed_font option file symbol)
  find_file(${option} ${file} PATHS /usr/share/fonts /usr/local/share/fonts /Library/Fonts
    PATH_SUFFIXES truetype/dejavu dejavu TTF dejavu-sans-fonts DOC "TrueType font to embed")
  if(NOT ${option} OR NOT EXISTS "${${option}}")
    message(FATAL_ERROR "${file} was not found. Install fonts-dejavu-core, or pass -D${option}=FILE.ttf.")
  endif()
  set(output ${PROJECT_BINARY_DIR}/embedded/${symbol}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_font.cmake)
  add_custom_command(OUTPUT ${output} VERBATIM DEPENDS ${script} ${${option}} COMMENT "Embedding ${file}"
    COMMAND ${CMAKE_COMMAND} -DFONT=${${option}} -DSYMBOL=${symbol} -DOUTPUT=${output} -P ${script})
  target_sources(uncial PRIVATE ${output})
endfunction()
uncial_embed_font(UNCIAL_FONT DejaVuSans.ttf kRegularFont)
uncial_embed_font(UNCIAL_FONT_BOLD DejaVuSans-Bold.ttf kBoldFont)
