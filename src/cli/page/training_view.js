// A training run as it goes: progress, figures, curves, and, epoch by epoch, what is right and wrong.
import {percent} from './answer_view.js';
import {lineChart} from './charts.js';
import {imageCanvas} from './pixels.js';

const PHASES = {
  training: 'training', done: 'trained', stopped: 'stopped', lost: 'the program has gone: start it again, then reload this page',
};

export class TrainingView {
  constructor(root) {
    this.root = root;
    this.element = (id) => root.querySelector(`#${id}`);
    this.state = {steps: [], history: []};
    this.scheduled = false;
    new ResizeObserver(() => this.schedule()).observe(this.element('loss-chart'));
  }

  setClasses(classes) {
    this.classes = classes;
  }

  update(part) {
    if (part.phase === 'lost' && this.state.phase === 'stopped') return;  // which says why it has gone
    Object.assign(this.state, part);
    this.element('training').hidden = !this.state.epochs;
    if (part.confusion) showConfusion(this.element('confusion'), this.classes, part.confusion);
    if (part.samples) showSamples(this.element('samples'), this.classes, part.samples);
    if (part.samples || part.confusion) this.showErrorsNote();
    this.schedule();
  }

  showErrorsNote() {
    const {samples} = this.state;
    this.element('errors').hidden = false;
    this.element('errors-note').textContent = !samples ? '' :
      `${samples.errors} of ${samples.count.toLocaleString('en')} ${samples.of} are read wrongly. The surest errors come first, ` +
      'then the least sure of the right answers; bars are the probabilities of 0 to 9.';
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  paint() {
    const {phase, label, epoch, epochs, batch, batches, test_accuracy: tested} = this.state;
    const status = this.element('status');
    const result = phase === 'done' && Number.isFinite(tested) ? `: ${(100 * tested).toFixed(2)} % on the test set` : '';
    const text = [phase === 'training' ? label : '', (PHASES[phase] ?? '') + result].filter(Boolean).join(': ');
    if (status.textContent !== text) status.textContent = text;  // or a screen reader would say it again
    status.className = phase === 'lost' ? 'lost' : '';
    if (!epochs) return;
    this.element('progress').value = phase === 'done' ? 1 : (epoch - 1 + batch / batches) / epochs;
    showFigures(this.element('figures'), this.state);
    this.paintCharts();
  }

  paintCharts() {
    const {steps, history, epochs} = this.state;
    const validated = history.filter((h) => Number.isFinite(h.validation_accuracy));
    const best = validated.reduce((a, b) => (a && a.validation_accuracy >= b.validation_accuracy ? a : b), null)?.epoch;
    const common = {xMax: epochs, xLabel: 'epochs', best};
    const curves = (at) => {
      const points = steps.map((s) => [s[0], s[at]]);
      return [{name: '', kind: 'raw', points}, {name: 'training', kind: 'training', points: smoothed(points)}];
    };
    const checks = (key) => ({name: 'validation', kind: 'validation', dots: true, points: validated.map((h) => [h.epoch, h[key]])});
    lineChart(this.element('loss-chart'), [...curves(1), checks('validation_loss')],
              {...common, title: 'Loss', log: true, format: (v) => (v < 0.1 ? v.toFixed(2) : v.toPrecision(2)).replace(/\.0$/, '')});
    const accuracies = [...steps.slice(Math.floor(steps.length / 10)).map((s) => s[2]), ...validated.map((h) => h.validation_accuracy)];
    lineChart(this.element('accuracy-chart'), [...curves(2), checks('validation_accuracy')],
              {...common, title: 'Accuracy', low: floorOf(accuracies), high: 1, format: (v) => `${(100 * v).toFixed(v > 0.98 && v < 1 ? 1 : 0)} %`});
  }
}

/** Each point with the mean of those around it: half a percent of the images is too few for a calm curve. */
function smoothed(points) {
  const reach = Math.min(8, Math.floor(points.length / 12));
  return points.map(([x], i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1).map(([, y]) => y);
    return [x, near.reduce((a, b) => a + b, 0) / near.length];
  });
}

/** A round number below most values, so that the start of a run does not flatten the rest. */
function floorOf(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length / 20)] ?? 0;
  return [0.98, 0.95, 0.9, 0.8, 0.5].find((floor) => low >= floor) ?? 0;
}

function showFigures(list, s) {
  const known = (value, text) => (Number.isFinite(value) ? text(value) : '\u2013');
  const last = s.history.at(-1);
  const figures = [
    ['Epoch', `${s.epoch} of ${s.epochs}`],
    ['Step', `${s.batch} of ${s.batches}`],
    ['Loss', known(s.loss, (v) => v.toFixed(3))],
    ['Accuracy', known(s.accuracy, percent)],
    ['Validation', known(last?.validation_accuracy, (v) => `${(100 * v).toFixed(2)} %`)],
    ['Images a second', known(s.samples_per_second, (v) => Math.round(v).toLocaleString('en'))],
    ['Learning rate', known(s.lr, (v) => v.toPrecision(2))],
  ];
  if (list.childElementCount !== figures.length) {
    list.replaceChildren(...figures.map(([name]) => {
      const figure = document.createElement('div');
      figure.innerHTML = '<dt></dt><dd></dd>';
      figure.firstChild.textContent = name;
      return figure;
    }));
  }
  figures.forEach(([, text], i) => {
    const value = list.children[i].lastChild;
    if (value.textContent !== text) value.textContent = text;
  });
}

/** Counts as a table; the diagonal is blue, errors are orange, both stronger for larger shares of their row. */
function showConfusion(table, classes, {of, counts}) {
  const row = (cells) => {
    const element = document.createElement('tr');
    element.append(...cells);
    return element;
  };
  const cell = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const caption = cell('caption', `Confusion matrix of the ${of}. Rows: what it is; columns: what it was taken for.`);
  const head = row([cell('td', '', {class: 'corner'}), ...classes.map((name) => cell('th', name, {scope: 'col'}))]);
  const rows = counts.map((line, truth) => {
    const total = line.reduce((a, b) => a + b, 0) || 1;
    return row([cell('th', classes[truth], {scope: 'row'}), ...line.map((count, guess) => {
      const share = count / total;
      const strength = truth === guess ? 75 * share : count > 0 ? Math.min(75, 22 + 900 * share) : 0;
      const colour = truth === guess ? 'var(--above)' : 'var(--below)';
      const td = cell('td', count || '\u00b7');
      if (strength > 0) td.style.background = `color-mix(in srgb, ${colour} ${strength.toFixed(0)}%, var(--card))`;
      if (strength > 0) td.style.color = strength > 45 ? 'var(--card)' : 'var(--text)';
      return td;
    })]);
  });
  table.replaceChildren(caption, head, ...rows);
}

function showSamples(element, classes, {list}) {
  element.replaceChildren(...list.map(({label, pixels, probabilities}) => {
    const guess = probabilities.indexOf(Math.max(...probabilities));
    const right = guess === label;
    const box = document.createElement('div');
    box.className = 'sample';
    const text = document.createElement('p');
    text.className = right ? 'right' : 'wrong';
    text.textContent = right ? `${classes[guess]}, ${percent(probabilities[guess])}` :
      `${classes[guess]}, ${percent(probabilities[guess])}; is ${classes[label]}`;
    const bars = document.createElement('div');
    bars.className = 'little';
    bars.setAttribute('aria-hidden', 'true');
    probabilities.forEach((p, i) => {
      const bar = document.createElement('i');
      bar.style.height = `${100 * p}%`;
      if (i === guess) bar.className = 'true';
      bars.append(bar);
    });
    box.append(imageCanvas(pixels, `A handwritten ${classes[label]}`), text, bars);
    return box;
  }));
}

export function showAugmentation(root, augmentation) {
  root.querySelector('#augmentation').hidden = !augmentation;
  if (!augmentation) return;
  root.querySelector('#augmentation-note').textContent =
    `The first image of each row as it is, the others as training sees it: ${augmentation.text}.`;
  root.querySelector('#augmented').replaceChildren(...augmentation.rows.map((images) => {
    const row = document.createElement('div');
    row.append(...images.map((bytes, i) => imageCanvas(bytes, i ? 'Augmented' : 'Original')));
    return row;
  }));
}
