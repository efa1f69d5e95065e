// A grid of any number of images, of which only those in sight are elements of the page.

import { small, words } from "./source.js";

const ROWS_BEYOND = 3; // above and below what is in sight
const CAPTION = 28;
const RUSH = 4; // heights of the window in a second: images that pass so fast nobody sees
const REST = 100; // milliseconds without scrolling after which they are shown

/** Images that are there already. */
export class Listed {
  constructor(images) {
    this.images = images;
    this.total = images.length;
  }

  get(place) {
    return this.images[place];
  }
}

/** Images that are asked for a page at a time, when they come into sight. */
export class Paged {
  constructor(total, fetchPage, { size = 200, onLoad, onError }) {
    Object.assign(this, { total, fetchPage, size, onLoad, onError });
    this.pages = new Map();
  }

  get(place) {
    const number = Math.floor(place / this.size);
    if (!this.pages.has(number)) this.load(number);
    return this.pages.get(number)?.[place % this.size];
  }

  load(number) {
    this.pages.set(number, null);
    this.fetchPage(number * this.size, this.size)
      .then((images) => {
        this.pages.set(number, images);
        this.onLoad();
      })
      .catch((error) => {
        this.pages.delete(number);
        this.onError(error);
      });
  }
}

function add(parent, kind, name) {
  const element = parent.appendChild(document.createElement(kind));
  element.className = name;
  return element;
}

/** Make the element of one image; `fillTile` says which. */
export function makeTile() {
  const element = document.createElement("div");
  element.className = "tile";
  element.setAttribute("role", "listitem");
  const open = add(element, "button", "open");
  open.type = "button";
  const picture = add(open, "img", "");
  picture.decoding = "async";
  picture.draggable = false;
  picture.onerror = () => element.classList.add("missing");
  const name = add(open, "span", "name");
  return { element, open, picture, name, image: undefined };
}

/** Add a line that says how similar the image is, and a button that asks why. */
function addCaption(tile) {
  const caption = add(tile.element, "div", "caption");
  const bar = add(caption, "span", "bar");
  tile.filled = add(bar, "i", "");
  tile.number = add(caption, "span", "number");
  tile.why = add(caption, "button", "why");
  tile.why.type = "button";
  tile.why.textContent = words.why;
  tile.caption = caption;
}

/** Show an image in a tile, or nothing while it is not known which; `isLate` shows its pixels later. */
export function fillTile(tile, image, isLate = false) {
  tile.image = image;
  tile.isLate = isLate;
  tile.element.classList.remove("missing");
  tile.name.textContent = tile.picture.alt = image?.name ?? "";
  tile.open.title = image?.name ?? "";
  if (image && !isLate) tile.picture.src = small(image);
  else tile.picture.removeAttribute("src");
  const isRanked = image?.similarity !== undefined;
  if (isRanked && !tile.caption) addCaption(tile);
  if (!tile.caption) return;
  tile.caption.hidden = !isRanked;
  if (!isRanked) return;
  tile.filled.style.transform = `scaleX(${Math.max(image.similarity, 0)})`;
  tile.number.textContent = image.similarity.toFixed(2);
  tile.why.setAttribute("aria-label", `${words.why} ${image.name}`);
}

export class Grid {
  /** `onOpen` and `onExplain` are given the image, the latter with its place as well. */
  constructor(element, { onOpen, onExplain }) {
    Object.assign(this, { element, onOpen, onExplain });
    this.tiles = new Map(); // by the place of their image
    this.spare = [];
    this.list = new Listed([]);
    this.active = 0;
    const soon = () => (this.waiting ??= requestAnimationFrame(() => this.draw()));
    this.soon = soon;
    addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(() => this.measure()).observe(element);
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Show other images, from the first one on; keys go on where they were, in the grid or elsewhere. */
  show(list, { isRanked = false } = {}) {
    const isHere = this.element.contains(document.activeElement);
    Object.assign(this, { list, active: 0, focused: undefined, caption: isRanked ? CAPTION : 0 });
    for (const place of [...this.tiles.keys()]) this.drop(place);
    this.measure();
    if (isHere && list.total) this.focus(0);
  }

  measure() {
    const width = this.element.clientWidth;
    if (!width) return;
    const gap = Number.parseFloat(getComputedStyle(this.element).getPropertyValue("--gap"));
    const wanted = width < 500 ? 118 : 168;
    this.columns = Math.max(2, Math.round((width + gap) / (wanted + gap)));
    this.side = (width - gap * (this.columns - 1)) / this.columns;
    this.across = this.side + gap;
    this.down = this.side + gap + (this.caption ?? 0);
    this.element.style.setProperty("--side", `${this.side}px`);
    this.element.style.height = `${Math.ceil(this.list.total / this.columns) * this.down}px`;
    this.draw(true);
  }

  /** Bring the tiles that are in sight to their places, and no others. */
  draw(isMoved = false) {
    cancelAnimationFrame(this.waiting);
    this.waiting = null;
    if (!this.columns || this.element.hidden) return;
    const above = -this.element.getBoundingClientRect().top;
    this.rushes(above);
    const beyond = ROWS_BEYOND * this.down;
    const row = (height) => Math.floor(height / this.down) * this.columns;
    const first = Math.max(row(above - beyond), 0);
    const last = Math.min(row(above + innerHeight + beyond) + this.columns, this.list.total);
    for (const place of [...this.tiles.keys()]) {
      if (place !== this.focused && (place < first || place >= last)) this.drop(place);
    }
    for (let place = first; place < last; place += 1) this.place(place, isMoved);
    for (const { element } of this.spare) element.hidden = true;
  }

  /** Note how fast the images pass, and draw again when they have come to rest. */
  rushes(above) {
    const now = performance.now();
    const speed = Math.abs(above - this.above) / Math.max(now - this.drawn, 1);
    this.isRushing = speed > (RUSH * innerHeight) / 1000;
    Object.assign(this, { above, drawn: now });
    clearTimeout(this.resting);
    if (this.isRushing) this.resting = setTimeout(this.soon, REST);
  }

  drop(place) {
    const tile = this.tiles.get(place);
    this.tiles.delete(place);
    this.spare.push(tile); // hidden if no other image takes it at once
  }

  place(place, isMoved) {
    let tile = this.tiles.get(place);
    if (tile?.isLate && !this.isRushing) fillTile(tile, tile.image);
    if (tile && !isMoved && tile.image) return;
    const isNew = !tile;
    tile ??= this.spare.shift() ?? this.add();
    this.tiles.set(place, tile);
    const across = (place % this.columns) * this.across;
    const down = Math.floor(place / this.columns) * this.down;
    tile.element.style.transform = `translate(${across}px, ${down}px)`;
    if (!isNew && tile.image) return;
    const image = this.list.get(place);
    if (isNew || image) fillTile(tile, image, this.isRushing);
    tile.element.hidden = false;
    tile.element.setAttribute("aria-posinset", place + 1);
    tile.element.setAttribute("aria-setsize", this.list.total);
    this.setReachable(tile, place === this.active);
  }

  add() {
    const tile = makeTile();
    this.element.append(tile.element);
    tile.element.addEventListener("focusin", () => this.noticed(tile));
    return tile;
  }

  setReachable(tile, isReachable) {
    tile.open.tabIndex = isReachable ? 0 : -1;
    if (tile.why) tile.why.tabIndex = isReachable ? 0 : -1;
  }

  placeOf(element) {
    for (const [place, tile] of this.tiles) if (tile.element.contains(element)) return place;
    return undefined;
  }

  noticed(tile) {
    const before = this.tiles.get(this.active);
    if (before) this.setReachable(before, false);
    this.active = this.focused = this.placeOf(tile.element);
    this.setReachable(tile, true);
  }

  clicked(event) {
    const place = this.placeOf(event.target);
    const image = this.tiles.get(place)?.image;
    if (!image) return;
    if (event.target.closest(".why")) this.onExplain(image, place);
    else if (event.target.closest(".open")) this.onOpen(image);
  }

  pressed(event) {
    const page = Math.max(Math.floor(innerHeight / this.down) - 1, 1) * this.columns;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -page,
      PageDown: page,
      Home: -this.list.total,
      End: this.list.total,
    };
    const step = steps[event.key];
    if (step && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.focus(Math.min(Math.max(this.active + step, 0), this.list.total - 1));
    } else if (event.key === "w") {
      const image = this.list.get(this.active);
      if (image?.similarity !== undefined) this.onExplain(image, this.active);
    }
  }

  /** Move to an image, and scroll there if it is not in sight. */
  focus(place) {
    this.focused = place;
    const top = this.element.getBoundingClientRect().top + Math.floor(place / this.columns) * this.down;
    const head = document.querySelector("header").offsetHeight + 8;
    const lack = Math.min(top - head, 0) || Math.max(top + this.down - innerHeight, 0);
    if (lack) scrollBy({ top: lack, behavior: "instant" });
    this.draw();
    this.place(place, false);
    this.tiles.get(place).open.focus({ preventScroll: true });
  }
}
