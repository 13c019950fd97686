// Strokes of a pen to the 28x28 pixels that a network trained on MNIST expects: the digit's longer side is 20
// pixels, its centre of mass in the middle (LeCun et al., 1998). The lines are scaled, not their thickness, so
// a digit drawn small is not fat.
import {SIDE} from './pixels.js';

const INK_SIDE = 20;
const PEN = 2.6;  // pixels; gives MNIST's mean ink of 102 pixels a digit for lines of usual length
const LARGEST_SCALE = 6 * SIDE;  // a dot stays a dot

/**
 * strokes  arrays of points {x, y}, in fractions of the drawing area; one point alone is a dot
 * returns  Float32Array(784) of values n/255, row by row, 0 = paper, 1 = ink; null when there is no stroke
 */
export function toImage(strokes) {
  const points = strokes.flat();
  if (points.length === 0) return null;
  const box = boxOf(points);
  const extent = Math.max(box.right - box.left, box.bottom - box.top);
  const scale = Math.min((INK_SIDE - PEN) / extent, LARGEST_SCALE);
  const place = ({x, y}) => ({
    x: (x - (box.left + box.right) / 2) * scale + SIDE / 2,
    y: (y - (box.top + box.bottom) / 2) * scale + SIDE / 2,
  });
  return centred(rasterised(strokes.map((stroke) => stroke.map(place))));
}

function boxOf(points) {
  const box = {left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity};
  for (const {x, y} of points) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

function rasterised(strokes) {
  const image = new Float32Array(SIDE * SIDE);
  for (const stroke of strokes) {
    for (let i = 0; i < Math.max(1, stroke.length - 1); ++i) {
      addSegment(image, stroke[i], stroke[Math.min(i + 1, stroke.length - 1)]);
    }
  }
  return image;
}

/** Ink where the pen passes: full within its radius, fading over one pixel at the edge. */
function addSegment(image, a, b) {
  const reach = PEN / 2 + 0.5;
  const first = (v) => Math.max(0, Math.floor(v - reach));
  const last = (v) => Math.min(SIDE - 1, Math.ceil(v + reach));
  for (let y = first(Math.min(a.y, b.y)); y <= last(Math.max(a.y, b.y)); ++y) {
    for (let x = first(Math.min(a.x, b.x)); x <= last(Math.max(a.x, b.x)); ++x) {
      const ink = Math.min(1, reach - distance({x: x + 0.5, y: y + 0.5}, a, b));
      if (ink > image[y * SIDE + x]) image[y * SIDE + x] = ink;
    }
  }
}

function distance(p, a, b) {
  const dx = b.x - a.x, dy = b.y - a.y;
  const square = dx * dx + dy * dy;
  const t = square > 0 ? Math.min(1, Math.max(0, ((p.x - a.x) * dx + (p.y - a.y) * dy) / square)) : 0;
  return Math.hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

/** Moves the centre of mass to the middle, by whole pixels and as far as all ink stays inside. */
function centred(image) {
  let mass = 0, sumX = 0, sumY = 0;
  const inked = [];
  for (let y = 0; y < SIDE; ++y) {
    for (let x = 0; x < SIDE; ++x) {
      const ink = image[y * SIDE + x];
      if (ink <= 0) continue;
      inked.push({x, y});
      mass += ink;
      sumX += ink * (x + 0.5);
      sumY += ink * (y + 0.5);
    }
  }
  const box = boxOf(inked);
  const moveX = within(Math.round(SIDE / 2 - sumX / mass), -box.left, SIDE - 1 - box.right);
  const moveY = within(Math.round(SIDE / 2 - sumY / mass), -box.top, SIDE - 1 - box.bottom);
  const moved = new Float32Array(SIDE * SIDE);
  for (const {x, y} of inked) {
    moved[(y + moveY) * SIDE + x + moveX] = Math.round(255 * image[y * SIDE + x]) / 255;
  }
  return moved;
}

function within(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
