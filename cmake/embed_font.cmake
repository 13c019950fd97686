# Turns a font into C++ source: cmake -DFONT=x.ttf -DSYMBOL=name -DOUTPUT=x.cpp -P embed_font.cmake
#
# A string literal, because it needs no assembler (.incbin) and no linker script (ld -b binary), so it works with
# every compiler and target, and because it is fast: g++ takes 0.05 s for 750 kB, and 1 s for an array of numbers.
# Only the font's bytes go in, never its path, so the result is relocatable.
file(READ "${FONT}" bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"vision/font_data.h\"
namespace uncial::vision {
static const unsigned char kBytes[] = \"${bytes}\";
const FontData ${SYMBOL} = {kBytes, ${size}};
}  // namespace uncial::vision
")
