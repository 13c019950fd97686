// The page: what is drawn goes to the backend, what comes back is shown.
import {AnswerView} from './answer_view.js';
import {DrawingArea} from './drawing_area.js';
import {MapsView} from './maps_view.js';
import {imageCanvas, paintImage, valuesOf} from './pixels.js';
import {toImage} from './strokes.js';
import {showAugmentation, TrainingView} from './training_view.js';

/** backend: see README.md; a promise of one will do. */
export async function start(backend) {
  const page = new Page(document);
  try {
    await page.connect(await backend);
  } catch (error) {
    page.say(error.message);
  }
}

class Page {
  constructor(root) {
    this.root = root;
    this.element = (id) => root.querySelector(`#${id}`);
    this.answer = new AnswerView(root);
    this.maps = new MapsView(this.element('layers'));
    this.training = new TrainingView(root);
    this.pixels = null;   // what is asked about
    this.asking = false;
    this.again = false;   // something changed while the question was under way
    this.area = new DrawingArea(this.element('area'), {
      onChange: (strokes) => this.drawn(strokes),
      tell: (text) => { this.element('pen').textContent = text; },
    });
    this.element('undo').addEventListener('click', () => this.area.undo());
    this.element('clear').addEventListener('click', () => this.area.clear());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.repaint());
  }

  async connect(backend) {
    this.backend = backend;
    const info = await backend.info();
    this.showInfo(info);
    backend.subscribe?.((part) => {
      this.training.update(part);
      if (part.weights !== undefined && part.phase !== 'lost') this.ask();
    });
    if (this.pixels) this.ask();  // who was faster than the answer to info()
    else if (info.examples.length > 0) this.look(valuesOf(info.examples[0].pixels));
  }

  showInfo(info) {
    const number = (n) => n.toLocaleString('en');
    this.element('network').textContent = info.network;
    const facts = [`${number(info.parameters)} parameters`, `${number(info.multiply_adds)} multiply-adds an image`, info.origin];
    if (info.accuracy !== null) facts.push(`${(100 * info.accuracy).toFixed(2)} % on the test set`);
    this.element('facts').textContent = facts.filter(Boolean).join(' \u00b7 ');
    this.answer.setClasses(info.classes);
    this.training.setClasses(info.classes);
    const examples = this.element('examples');
    examples.hidden = info.examples.length === 0;
    examples.replaceChildren(...info.examples.map(({label, pixels}) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.setAttribute('aria-label', `Test image, a ${info.classes[label]}`);
      button.append(imageCanvas(pixels, ''));
      button.firstChild.setAttribute('aria-hidden', 'true');
      button.addEventListener('click', () => {
        this.area.clear();
        this.look(valuesOf(pixels));
      });
      return button;
    }));
    showAugmentation(this.root, info.augmentation);
  }

  drawn(strokes) {
    const image = toImage(strokes);
    this.element('invitation').hidden = image !== null;
    this.changed = performance.now();
    this.look(image);
  }

  /** Asks about an image; null: about nothing. */
  look(image) {
    this.pixels = image;
    paintImage(this.element('seen'), image ? Uint8Array.from(image, (v) => Math.round(255 * v)) : new Uint8Array(784));
    if (image) this.ask();
    else this.answer.clear();
  }

  /** One question at a time; what changed meanwhile is asked about next. */
  async ask() {
    if (!this.backend || !this.pixels) return;
    this.again = true;
    if (this.asking) return;
    this.asking = true;
    this.element('bars').setAttribute('aria-busy', 'true');
    try {
      while (this.again && this.pixels) {
        this.again = false;
        await this.askOnce();
      }
    } catch (error) {
      this.say(error.message);
    } finally {
      this.asking = false;
      this.element('bars').setAttribute('aria-busy', 'false');
    }
  }

  async askOnce() {
    const drawnAt = this.changed, since = drawnAt ?? performance.now();
    this.changed = undefined;
    const {probabilities, layers} = await this.backend.predict(this.pixels);
    if (!this.pixels) return;  // cleared meanwhile
    this.answer.show(probabilities);
    this.maps.show(layers);
    if (drawnAt !== undefined) performance.measure('stroke to answer', {start: drawnAt});
    this.say(`answered in ${Math.max(1, Math.round(performance.now() - since))} ms`);
  }

  say(text) {
    this.element('took').textContent = text;
  }

  /** In the colours of the theme that was switched to. */
  repaint() {
    for (const canvas of this.root.querySelectorAll('canvas.pixels')) if (canvas.bytes) paintImage(canvas, canvas.bytes);
    this.area.paint();
    this.maps.paint();
  }
}
