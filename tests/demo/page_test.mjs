// The committed demo page against the program: node page_test.mjs PAGE MNIST MNIST_PREDICT
//
// The page's own scripts run under Node.js, without a browser: tests/page draws on it in one.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {backendOf, digitOf, networkOf, testSetOf, valuesOf} from '../../scripts/demo_page.mjs';

const COMPARED = 50;
const TOLERANCE = 1e-4;  // of a probability: sums in another order, products without fused additions

const [page, mnist, predict] = process.argv.slice(2);

/** What the program says of the first test images, with the page's own network. */
function programsAnswers() {
  const folder = mkdtempSync(join(tmpdir(), 'uncial-demo-'));
  try {
    const model = join(folder, 'network.safetensors'), results = join(folder, 'results.json');
    writeFileSync(model, networkOf(page));
    const indices = Array.from({length: COMPARED}, (_, i) => ['--index', String(i)]).flat();
    execFileSync(predict, ['--model', model, '--quiet', '--out', folder, '--json', results, ...indices]);
    return JSON.parse(readFileSync(results)).predictions.map(({probabilities}) => probabilities);
  } finally {
    rmSync(folder, {recursive: true});
  }
}

const backend = await backendOf(page);
const info = await backend.info();
assert.deepEqual(info.classes, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
assert.ok(info.parameters > 1000 && info.multiply_adds > info.parameters, 'the network has a size');
assert.ok(info.accuracy > 0.99, `test accuracy ${info.accuracy}, expected a trained network`);
assert.deepEqual(info.examples.map(({label}) => label), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
assert.equal(backend.subscribe, null);

const expected = programsAnswers();
let largest = 0, right = 0;
for (const [i, {label, pixels}] of testSetOf(mnist).slice(0, COMPARED).entries()) {
  const {probabilities, layers} = await backend.predict(valuesOf(pixels));
  assert.equal(probabilities.length, 10);
  probabilities.forEach((p, digit) => { largest = Math.max(largest, Math.abs(p - expected[i][digit])); });
  right += digitOf(probabilities) === label;
  for (const {path, channels, height, width, low, high, values} of layers) {
    assert.equal(values.length, channels * height * width, `values of layer ${path}`);
    assert.ok(Number.isFinite(low) && low <= high, `range of layer ${path}`);
  }
  assert.ok(layers.length >= 4 && layers.some(({height}) => height > 1), 'feature maps come along');
}
console.log(`${COMPARED} images: ${right} right, probabilities differ from the program's by ${largest.toExponential(1)} at most`);
assert.ok(largest <= TOLERANCE, `expected at most ${TOLERANCE}`);
assert.ok(right >= 0.96 * COMPARED, 'expected 96 %');

await assert.rejects(backend.predict(new Float32Array(10)), /got 10 pixels, expected 784/);
console.log('PASS');
