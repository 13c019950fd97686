// Curves as SVG, drawn anew for each change.

const MARGIN = {left: 46, right: 92, top: 10, bottom: 30};

/**
 * series  [{name, kind: 'training' | 'validation' | 'raw', points: [[x, y], ...], dots}]; points whose y is null are left out; a curve
 *         without a name stands behind another
 * options {xMax, xLabel, log, low, high, format, best}; low and high bound the y axis, what is below is left out; best marks an x
 */
export function lineChart(element, series, options) {
  const width = element.clientWidth, height = element.clientHeight;
  if (width === 0 || height === 0) return;
  const {low = -Infinity} = options;
  const shown = series.map((s) => ({...s, points: s.points.filter(([, y]) => Number.isFinite(y) && y >= low)}));
  const svg = node('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': spokenChart(shown, options)});
  const values = shown.flatMap((s) => s.points.map(([, y]) => y));
  if (values.length > 0) {
    const scale = scaleOf(values, options);
    const plot = {
      x: (x) => MARGIN.left + (x / options.xMax) * (width - MARGIN.left - MARGIN.right),
      y: (y) => MARGIN.top + (1 - scale.share(y)) * (height - MARGIN.top - MARGIN.bottom),
      right: width - MARGIN.right,
      bottom: height - MARGIN.bottom,
    };
    addAxes(svg, plot, scale, options);
    for (const s of shown) addSeries(svg, plot, s, options);
    addNames(svg, plot, shown);
  }
  element.replaceChildren(svg);
}

function node(name, attributes = {}, text = '') {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

function scaleOf(values, {log, low, high}) {
  const from = low ?? 0.85 * Math.min(...values), to = Math.max(high ?? 1.1 * Math.max(...values), from + 1e-9);
  if (!log) return {share: (v) => clamp((v - from) / (to - from)), ticks: linearTicks(from, to)};
  const a = Math.log(Math.max(from, 1e-6)), b = Math.max(Math.log(to), a + 0.1);
  return {share: (v) => clamp((Math.log(Math.max(v, 1e-6)) - a) / (b - a)), ticks: logTicks(Math.exp(a), Math.exp(b))};
}

const clamp = (v) => Math.min(1, Math.max(0, v));

function linearTicks(from, to) {
  const rough = (to - from) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough);
  const ticks = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9; ++k) ticks.push(k * step);
  return ticks;
}

function logTicks(from, to) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); ++power) {
    for (const k of [1, 2, 5]) if (k * 10 ** power >= from * 0.999 && k * 10 ** power <= to * 1.001) ticks.push(k * 10 ** power);
  }
  return ticks.length > 1 ? ticks : [from, to];
}

function addAxes(svg, plot, scale, {xMax, xLabel, format}) {
  for (const tick of scale.ticks) {
    const y = plot.y(tick);
    svg.append(node('line', {class: 'grid', x1: MARGIN.left, x2: plot.right, y1: y, y2: y}));
    svg.append(node('text', {x: MARGIN.left - 6, y: y + 4, 'text-anchor': 'end'}, format(tick)));
  }
  const every = Math.ceil(xMax / 8);
  for (let x = 0; x <= xMax; x += every) {
    svg.append(node('text', {x: plot.x(x), y: plot.bottom + 16, 'text-anchor': 'middle'}, String(x)));
  }
  svg.append(node('text', {x: plot.right + 14, y: plot.bottom + 16}, xLabel));
}

function addSeries(svg, plot, {kind, points, dots}, {best}) {
  if (points.length === 0) return;
  const path = points.map(([x, y], i) => `${i ? 'L' : 'M'}${plot.x(x).toFixed(1)} ${plot.y(y).toFixed(1)}`).join('');
  svg.append(node('path', {class: `series ${kind}`, d: path}));
  if (!dots) return;
  for (const [x, y] of points) {
    const isBest = x === best;
    svg.append(node('circle', {class: isBest ? 'best' : 'dot', cx: plot.x(x), cy: plot.y(y), r: isBest ? 5.5 : 3}));
  }
}

/** Names beside the ends of the curves, kept apart. */
function addNames(svg, plot, series) {
  const ends = series.filter((s) => s.name && s.points.length > 0).map((s) => ({...s, y: plot.y(s.points.at(-1)[1])}));
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, i) => {
    if (i > 0) end.y = Math.max(end.y, ends[i - 1].y + 15);
  });
  const overflow = Math.max(0, (ends.at(-1)?.y ?? 0) - plot.bottom + 6);  // above the axis's own name
  for (const end of ends) {
    svg.append(node('text', {class: `name ${end.kind}`, x: plot.right + 14, y: end.y - overflow + 4}, end.name));
  }
}

function spokenChart(series, {title, format}) {
  const parts = series.filter((s) => s.name && s.points.length > 0).map((s) => `${s.name} ${format(s.points.at(-1)[1])}`);
  return `${title}: ${parts.join(', ') || 'nothing yet'}`;
}
