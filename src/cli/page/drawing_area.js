// The canvas that is drawn on: by mouse, finger or pen, and by keyboard.
import {devicePixels, SIDE} from './pixels.js';

const SHOWN_PEN = 0.075;       // of the side
const STEP = 0.5 / SIDE;       // of an arrow key
const SMALLEST_MOVE = 0.004;   // nearer points add nothing but work

export class DrawingArea {
  /** onStroke() is called after every change; tell(text) says what the keyboard's pen does. */
  constructor(canvas, {onChange, tell}) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.tell = tell;
    this.strokes = [];
    this.stroke = null;      // the one under way
    this.pointer = null;     // its pointer, or 'keyboard'
    this.cursor = null;      // where the keyboard's pen is; shown only while that is in use
    this.scheduled = false;
    for (const [type, handler] of Object.entries({
      pointerdown: (e) => this.pointerDown(e),
      pointermove: (e) => this.pointerMove(e),
      pointerup: (e) => this.pointerUp(e),
      pointercancel: (e) => this.pointerUp(e),
      keydown: (e) => this.keyDown(e),
      blur: () => this.putAway(),
      contextmenu: (e) => e.preventDefault(),
    })) canvas.addEventListener(type, handler);
    new ResizeObserver(() => this.paint()).observe(canvas);
    this.paint();
  }

  undo() {
    this.lift();
    this.strokes.pop();
    this.changed();
  }

  clear() {
    this.lift();
    this.strokes = [];
    this.changed();
  }

  // ---- Pointers

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return {x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height};
  }

  pointerDown(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    event.preventDefault();
    this.canvas.focus({preventScroll: true, focusVisible: false});
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = null;
    this.pointer = event.pointerId;
    this.begin(this.pointOf(event));
  }

  pointerMove(event) {
    if (event.pointerId !== this.pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    let added = false;
    for (const each of passed.length ? passed : [event]) added = this.extend(this.pointOf(each)) || added;
    if (added) this.changed();
  }

  pointerUp(event) {
    if (event.pointerId === this.pointer) this.lift();
  }

  // ---- Keyboard

  keyDown(event) {
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() !== 'z') return;
    const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in moves) this.moveCursor(...moves[key]);
    else if (key === ' ') this.togglePen();
    else if (key === 'u' || key === 'z' || key === 'Backspace') this.takeBack();
    else if (key === 'c' || key === 'Delete') this.wipe();
    else if (key === 'Escape') this.putAway();
    else return;
    event.preventDefault();
  }

  moveCursor(dx, dy) {
    if (this.pointer !== null && this.pointer !== 'keyboard') return;
    const from = this.cursor ?? {x: 0.5, y: 0.5};
    const inside = (v) => Math.min(1 - SHOWN_PEN / 2, Math.max(SHOWN_PEN / 2, v));
    this.cursor = {x: inside(from.x + dx * STEP), y: inside(from.y + dy * STEP)};
    if (this.stroke && this.extend(this.cursor)) this.changed();
    else this.schedulePaint();
  }

  togglePen() {
    if (this.pointer === 'keyboard') {
      this.lift();
      this.tell('Pen up.');
      this.schedulePaint();
    } else if (this.pointer === null) {
      this.cursor ??= {x: 0.5, y: 0.5};
      this.pointer = 'keyboard';
      this.begin(this.cursor);
      this.tell('Pen down.');
    }
  }

  takeBack() {
    this.undo();
    this.tell(this.strokes.length ? 'Took back a stroke.' : 'Nothing left.');
  }

  wipe() {
    this.clear();
    this.tell('Cleared.');
  }

  putAway() {
    if (this.pointer === 'keyboard') this.lift();
    this.cursor = null;
    this.schedulePaint();
  }

  // ---- Strokes

  begin(point) {
    this.stroke = [point];
    this.strokes.push(this.stroke);
    this.changed();
  }

  extend(point) {
    const last = this.stroke.at(-1);
    if (Math.hypot(point.x - last.x, point.y - last.y) < SMALLEST_MOVE) return false;
    this.stroke.push(point);
    return true;
  }

  lift() {
    this.stroke = this.pointer = null;
  }

  changed() {
    this.schedulePaint();
    this.onChange(this.strokes);
  }

  // ---- Picture

  schedulePaint() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  paint() {
    const side = devicePixels(this.canvas.clientWidth);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext('2d');
    const style = getComputedStyle(document.documentElement);
    context.clearRect(0, 0, side, side);
    context.strokeStyle = style.getPropertyValue('--ink');
    context.lineWidth = SHOWN_PEN * side;
    context.lineCap = context.lineJoin = 'round';
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(stroke[0].x * side, stroke[0].y * side);
      if (stroke.length === 1) context.lineTo(stroke[0].x * side, stroke[0].y * side);  // a dot
      for (const point of stroke.slice(1)) context.lineTo(point.x * side, point.y * side);
      context.stroke();
    }
    if (this.cursor) this.paintCursor(context, side, style.getPropertyValue('--validation'));
  }

  paintCursor(context, side, colour) {
    context.strokeStyle = colour;
    context.lineWidth = devicePixels(2);
    context.setLineDash(this.stroke ? [] : [devicePixels(4), devicePixels(3)]);
    context.beginPath();
    context.arc(this.cursor.x * side, this.cursor.y * side, (SHOWN_PEN / 2) * side + devicePixels(3), 0, 2 * Math.PI);
    context.stroke();
    context.setLineDash([]);
  }
}
