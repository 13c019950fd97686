# Makes one HTML file without outside resources of the page's sources:
#   cmake -DBACKEND=server|wasm -DOUTPUT=FILE [-DPRELUDE=SCRIPT] [-DSYMBOL=NAME] -P inline_page.cmake
# PRELUDE is a classic script that comes before the page's module. With SYMBOL the output is C++ source that
# defines uncial::cli::NAME, a std::string_view. README.md says what may be in the files.
set(folder ${CMAKE_CURRENT_LIST_DIR})
set(modules pixels strokes drawing_area answer_view maps_view charts training_view view backend_${BACKEND})

set(script "")
foreach(module ${modules})
  file(READ ${folder}/${module}.js text)
  string(REGEX REPLACE "(^|\n)import [^\n]*" "" text "${text}")
  string(REGEX REPLACE "(^|\n)export " "\\1" text "${text}")
  string(APPEND script "${text}")
endforeach()
string(APPEND script "start(makeBackend());")
set(prelude "")
if(PRELUDE)
  file(READ ${PRELUDE} prelude)
  set(prelude "<script>\n${prelude}\n</script>")
endif()
file(READ ${folder}/page.css style)
file(READ ${folder}/page.html page)
string(REPLACE "/*{style}*/" "${style}" page "${page}")
string(REPLACE "<!--{prelude}-->" "${prelude}" page "${page}")
string(REPLACE "/*{script}*/" "${script}" page "${page}")

if(SYMBOL)
  # As hexadecimal bytes: a string literal of C++ needs no other escapes then (see cmake/embed_font.cmake).
  string(HEX "${page}" bytes)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  set(page "#include <string_view>
namespace uncial::cli {
extern const std::string_view ${SYMBOL};
const std::string_view ${SYMBOL} = \"${bytes}\";
}  // namespace uncial::cli
")
endif()
file(WRITE ${OUTPUT}.new "${page}")
file(RENAME ${OUTPUT}.new ${OUTPUT})
