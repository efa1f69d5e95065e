// Mark a part of an image: with a mouse or pen by dragging, with fingers and keys after a button was pressed.

const STEP = 0.02;
const SMALLEST = 0.04; // what is drawn smaller was a click

const within = (value, least, most) => Math.min(Math.max(value, least), most);

export class Marker {
  /** `onMark` is given left, top, right and bottom, in shares of the image; null where the box went away. */
  constructor(frame, element, onMark) {
    Object.assign(this, { frame, element, onMark, box: null });
    frame.addEventListener("pointerdown", (event) => this.start(event));
    frame.addEventListener("pointermove", (event) => this.drag?.(this.at(event)));
    frame.addEventListener("pointerup", () => this.finish());
    frame.addEventListener("pointercancel", () => this.finish());
    element.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Show a box, or none. */
  show(box) {
    this.box = box;
    this.element.hidden = !box;
    this.frame.classList.toggle("armed", Boolean(box));
    if (!box) return;
    const [left, top, right, bottom] = box;
    const percent = (share) => `${share * 100}%`;
    Object.assign(this.element.style, {
      left: percent(left),
      top: percent(top),
      width: percent(right - left),
      height: percent(bottom - top),
    });
    const shown = box.map((share) => Math.round(share * 100));
    const label = `Part from ${shown[0]}, ${shown[1]} to ${shown[2]}, ${shown[3]} percent. Arrow keys move it, with Shift they resize it, Enter searches, Escape removes it.`;
    this.element.setAttribute("aria-label", label);
  }

  /** Begin with the middle of the image, to be moved by keys or fingers. */
  begin() {
    if (!this.box) this.show([0.25, 0.25, 0.75, 0.75]);
    this.element.focus();
  }

  at(event) {
    const { left, top, width, height } = this.frame.getBoundingClientRect();
    return [within((event.clientX - left) / width, 0, 1), within((event.clientY - top) / height, 0, 1)];
  }

  start(event) {
    const isArmed = event.pointerType !== "touch" || this.box;
    if (event.button !== 0 || !isArmed) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    this.before = this.box;
    const from = this.at(event);
    if (this.box && event.target === this.element) this.drag = this.isAtCorner(event) ? this.resizing() : this.moving(from);
    else this.drag = this.drawing(from);
  }

  isAtCorner(event) {
    const { right, bottom } = this.element.getBoundingClientRect();
    return right - event.clientX < 24 && bottom - event.clientY < 24;
  }

  drawing([x, y]) {
    return ([toX, toY]) =>
      this.show([Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY)]);
  }

  moving([x, y]) {
    const box = this.box;
    return ([toX, toY]) => this.show(moved(box, toX - x, toY - y));
  }

  resizing() {
    const [left, top] = this.box;
    return ([x, y]) => this.show([left, top, Math.max(x, left + SMALLEST), Math.max(y, top + SMALLEST)]);
  }

  finish() {
    if (!this.drag) return;
    this.drag = null;
    const box = this.box;
    if (box === this.before) return;
    if (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) this.show(this.before);
    else this.onMark(box);
  }

  pressed(event) {
    const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const way = ways[event.key];
    if (way) this.show(event.shiftKey ? resized(this.box, ...way) : moved(this.box, ...way));
    else if (event.key === "Enter") this.onMark(this.box);
    else if (event.key === "Escape") this.onMark(null);
    else return;
    event.preventDefault();
  }
}

function moved([left, top, right, bottom], x, y) {
  const byX = within(x, -left, 1 - right);
  const byY = within(y, -top, 1 - bottom);
  return [left + byX, top + byY, right + byX, bottom + byY];
}

function resized([left, top, right, bottom], x, y) {
  return [left, top, within(right + x, left + SMALLEST, 1), within(bottom + y, top + SMALLEST, 1)];
}
