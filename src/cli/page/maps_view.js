// Every layer's values for the image at hand: maps side by side, vectors as one row of cells.
import {colourTable, devicePixels} from './pixels.js';

const NAMES = {
  conv2d: 'Convolution', conv_transpose2d: 'Transposed convolution', max_pool2d: 'Max pooling', avg_pool2d: 'Mean pooling',
  global_avg_pool2d: 'Mean over the map', batch_norm2d: 'Batch normalisation', layer_norm: 'Layer normalisation',
  group_norm: 'Group normalisation', relu: 'ReLU', leaky_relu: 'Leaky ReLU', gelu: 'GELU', silu: 'SiLU', tanh: 'Tanh',
  sigmoid: 'Sigmoid', dense: 'Dense', flatten: 'Flatten', residual: 'Residual',
};

export class MapsView {
  constructor(root) {
    this.root = root;
    this.rows = [];
    this.layers = [];
    this.width = 0;
    new ResizeObserver(() => {
      if (root.clientWidth !== this.width) this.paint();
    }).observe(root);
  }

  show(layers) {
    const names = layers.map((layer) => `${layer.path} ${layer.kind}`).join();
    if (names !== this.names) {
      this.names = names;
      this.rows = layers.map(rowOf);
      this.root.replaceChildren(...this.rows.map(({row}) => row));
    }
    this.layers = layers;
    this.paint();
  }

  paint() {
    this.width = this.root.clientWidth;
    if (this.width === 0) return;
    this.layers.forEach((layer, i) => paintLayer(this.rows[i].canvas, layer, this.width));
  }
}

function rowOf(layer) {
  const row = document.createElement('div');
  row.className = 'layer';
  const title = document.createElement('p');
  const isVector = layer.height * layer.width === 1;
  const extent = isVector ? `${layer.channels} values` : `${layer.channels} maps of ${layer.height}\u00d7${layer.width}`;
  const detail = document.createElement('span');
  detail.textContent = extent;
  title.append(`${NAMES[layer.kind] ?? layer.kind} `, detail);
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${NAMES[layer.kind] ?? layer.kind}: ${extent}`);
  row.append(title, canvas);
  return {row, canvas};
}

/** Side of one map in CSS pixels: whole pixels a value, larger for small maps, but not as large as the image. */
function sideOf(layer) {
  const extent = Math.max(layer.height, layer.width);
  if (extent === 1) return 16;
  return extent * Math.max(1, Math.round((22 + 1.25 * extent) / extent));
}

/** CSS pixels between maps: more where a map's own squares are large. */
function gapOf(layer) {
  const extent = Math.max(layer.height, layer.width);
  return extent === 1 ? 2 : extent < 10 ? 6 : 4;
}

function paintLayer(canvas, layer, width) {
  const side = sideOf(layer), gap = gapOf(layer);
  const columns = Math.max(1, Math.min(layer.channels, Math.floor((width + gap) / (side + gap))));
  const rows = Math.ceil(layer.channels / columns);
  const cssWidth = columns * (side + gap) - gap, cssHeight = rows * (side + gap) - gap;
  if (canvas.width !== devicePixels(cssWidth) || canvas.height !== devicePixels(cssHeight)) {
    canvas.width = devicePixels(cssWidth);
    canvas.height = devicePixels(cssHeight);
    canvas.style.width = `${cssWidth}px`;
    canvas.style.height = `${cssHeight}px`;
  }
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const strip = stripOf(layer);
  const ratio = canvas.width / cssWidth;
  for (let c = 0; c < layer.channels; ++c) {
    const x = Math.round((c % columns) * (side + gap) * ratio), y = Math.round(Math.floor(c / columns) * (side + gap) * ratio);
    context.drawImage(strip, 0, c * layer.height, layer.width, layer.height, x, y, Math.round(side * ratio),
                      Math.round((side * layer.height / layer.width) * ratio));
  }
}

let stripCanvas = null;  // one for all layers: it is used up before the next comes

/** All maps one below the other, a pixel a value. */
function stripOf({channels, height, width, low, high, values}) {
  stripCanvas ??= document.createElement('canvas');
  stripCanvas.width = width;
  stripCanvas.height = channels * height;
  const context = stripCanvas.getContext('2d');
  const picture = context.createImageData(width, channels * height);
  const table = colourTable(low, high);
  for (let i = 0; i < values.length; ++i) {
    const at = 3 * values[i];
    picture.data[4 * i] = table[at];
    picture.data[4 * i + 1] = table[at + 1];
    picture.data[4 * i + 2] = table[at + 2];
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  return stripCanvas;
}
