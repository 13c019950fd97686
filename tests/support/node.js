// Before the code that emscripten writes: its 3.1 takes Node.js's fetch() (18 and newer) for a browser's, and asks it for the file
// beside the program, which it does not read.
globalThis.fetch = undefined;
