// Bytes that came as base64, and pictures of them on canvases.

export const SIDE = 28;

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** What look_json() wrote, with bytes for base64. */
export function answerOf(json) {
  return {...json, layers: json.layers.map((layer) => ({...layer, values: bytesOf(layer.values)}))};
}

/** What info_json() wrote, with bytes for base64. */
export function infoOf(json) {
  const {augmentation} = json;
  return {
    ...json,
    examples: json.examples.map(samplePixels),
    augmentation: augmentation && {...augmentation, rows: augmentation.rows.map((row) => row.map(bytesOf))},
  };
}

export function samplePixels(sample) {
  return {...sample, pixels: bytesOf(sample.pixels)};
}

/** Bytes of an image as the network takes them. */
export function valuesOf(bytes) {
  return Float32Array.from(bytes, (byte) => byte / 255);
}

/** Whole pixels of the screen for a side of `length` CSS pixels. */
export function devicePixels(length) {
  return Math.max(1, Math.round(length * (window.devicePixelRatio || 1)));
}

/** "#rrggbb" of a custom property, as [r, g, b]. */
export function colourOf(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}

/** A small canvas with a grey image: paper and ink are those of the page. */
export function imageCanvas(bytes, description) {
  const canvas = document.createElement('canvas');
  canvas.className = 'pixels';
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', description);
  paintImage(canvas, bytes);
  return canvas;
}

export function paintImage(canvas, bytes) {
  canvas.width = canvas.height = SIDE;
  canvas.bytes = bytes;  // to paint it again in other colours
  const paper = colourOf('--paper'), ink = colourOf('--ink');
  const context = canvas.getContext('2d');
  const picture = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < bytes.length; ++i) {
    const share = bytes[i] / 255;
    for (let c = 0; c < 3; ++c) picture.data[4 * i + c] = paper[c] + share * (ink[c] - paper[c]);
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

/** Colours of all 256 bytes of a layer: zero is the page's ground, above it blue, below it orange. */
export function colourTable(low, high) {
  const ground = colourOf('--ground'), above = colourOf('--above'), below = colourOf('--below');
  const largest = Math.max(Math.abs(low), Math.abs(high)) || 1;
  const table = new Uint8ClampedArray(3 * 256);
  for (let byte = 0; byte < 256; ++byte) {
    const value = (low + (byte / 255) * (high - low)) / largest;
    const end = value < 0 ? below : above;
    const share = Math.sqrt(Math.abs(value));  // small values are many, and would all look like zero
    for (let c = 0; c < 3; ++c) table[3 * byte + c] = ground[c] + share * (end[c] - ground[c]);
  }
  return table;
}
