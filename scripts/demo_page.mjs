// The demo page's own code under Node.js, without a browser:
//
//   import {backendOf} from './demo_page.mjs';         // its backend: see src/cli/page/README.md
//   node scripts/demo_page.mjs accuracy PAGE MNIST     // the share of the test set that it answers right
//   node scripts/demo_page.mjs network PAGE FILE       // writes its network, a model file
import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {runInThisContext} from 'node:vm';
import {gunzipSync} from 'node:zlib';

const START = 'start(makeBackend());';

function scriptsOf(path) {
  const scripts = [...readFileSync(path, 'utf8').matchAll(/<script[^>]*>\n([\s\S]*?)<\/script>/g)].map((found) => found[1]);
  if (scripts.length !== 2 || !scripts[1].includes(START))
    throw new Error(`${path}: got ${scripts.length} scripts, expected the module's and the page's, which ends with ${START}`);
  return scripts;
}

/** What the first script of the page defines. */
function demoOf(path) {
  return runInThisContext(`(() => { ${scriptsOf(path)[0]}; return {makeUncialModule, UNCIAL_DEMO}; })()`);
}

/** The backend of the page in the file. */
export async function backendOf(path) {
  const {makeUncialModule, UNCIAL_DEMO} = demoOf(path);
  const page = scriptsOf(path)[1].replace(START, 'return makeBackend();');
  return new Function('makeUncialModule', 'UNCIAL_DEMO', page)(makeUncialModule, UNCIAL_DEMO);
}

/** The model file in the page. */
export function networkOf(path) {
  return gunzipSync(Buffer.from(demoOf(path).UNCIAL_DEMO.network, 'base64'));
}

/** Images (Uint8Arrays) and labels of the test set in a folder of IDX files. */
export function testSetOf(folder) {
  const bytes = (name) => gunzipSync(readFileSync(`${folder}/t10k-${name}-ubyte.gz`));
  const images = bytes('images-idx3').subarray(16), labels = bytes('labels-idx1').subarray(8);
  return Array.from(labels, (label, i) => ({label, pixels: images.subarray(784 * i, 784 * (i + 1))}));
}

/** Bytes of an image as the page hands them on. */
export function valuesOf(bytes) {
  return Float32Array.from(bytes, (byte) => byte / 255);
}

export function digitOf(probabilities) {
  return probabilities.indexOf(Math.max(...probabilities));
}

async function accuracy(page, folder) {
  const backend = await backendOf(page);
  const samples = testSetOf(folder);
  let right = 0;
  for (const {label, pixels} of samples) right += digitOf((await backend.predict(valuesOf(pixels))).probabilities) === label;
  return right / samples.length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [what, page, other] = process.argv.slice(2);
  if (what === 'accuracy') console.log(await accuracy(page, other));
  else if (what === 'network') writeFileSync(other, networkOf(page));
  else throw new Error(`got ${what}, expected accuracy or network`);
}
