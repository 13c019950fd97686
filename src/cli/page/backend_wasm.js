// The library itself answers, compiled to WebAssembly, in this page. makeUncialModule and UNCIAL_DEMO are defined by the
// script that scripts/demo_prelude.py makes.
import {answerOf, bytesOf, infoOf} from './pixels.js';

export async function makeBackend() {
  const {about, module, network} = UNCIAL_DEMO;
  const library = await compiled(module);
  const facts = ask(library, library._uncial_open, await unpacked(network));
  return {
    info: async () => infoOf({...facts, ...about}),
    predict: async (pixels) => answerOf(ask(library, library._uncial_predict, Uint8Array.from(pixels, (v) => Math.round(255 * v)))),
    subscribe: null,
  };
}

async function compiled(module) {
  try {
    return await makeUncialModule({wasmBinary: await unpacked(module)});
  } catch (error) {
    const needed = 'This browser cannot run the page: it takes Chrome or Edge 95, Firefox 113, Safari 16.4, or a newer one';
    throw new Error(`${needed} (${error.message}).`);
  }
}

/** What gzip and base64 made text of. */
async function unpacked(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What a function of src/demo/demo.cpp replies to these bytes; throws what it complains about. */
function ask(library, question, bytes) {
  const at = library._malloc(bytes.length);
  library.HEAPU8.set(bytes, at);
  const reply = JSON.parse(library.UTF8ToString(question(at, bytes.length)));
  library._free(at);
  if (reply.error !== undefined) throw new Error(reply.error);
  return reply;
}
