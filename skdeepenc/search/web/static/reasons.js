// Why two images match: both in grey, and over them in colour what their places add to the similarity.

import { large, reasons, words } from "./source.js";

const SIDE = 560;
const WARM = [[245, 165, 36], [215, 48, 31]];
const COLD = [[106, 168, 232], [29, 95, 184]];
const element = (name) => document.getElementById(`reasons${name}`);

export class ReasonsDialog {
  constructor() {
    this.dialog = element("");
    element("-title").textContent = words.title;
    element("-close").onclick = () => this.dialog.close();
    element("-heat").onchange = () => this.draw();
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  /** Explain a result; `results` are those that the arrow keys lead to. */
  async open(question, address, results, place) {
    Object.assign(this, { question, address, results, place });
    const result = results.get(place);
    element("-name").textContent = result.name;
    element("-text").textContent = "Looking for the places that match …";
    element("-scale").hidden = true;
    if (!this.dialog.open) this.dialog.showModal();
    const asked = (this.asked = {});
    const [answer, ...pictures] = await Promise.all([
      reasons(question, result).catch((error) => ({ missing: error.message, maps: [] })),
      pixelsOf(address, question.box),
      pixelsOf(large(result)),
    ]);
    if (asked !== this.asked) return;
    this.shown = { answer, pictures };
    element("-scale").hidden = Boolean(answer.missing);
    element("-text").textContent = textOf(answer, result);
    this.draw();
  }

  draw() {
    const { answer, pictures } = this.shown;
    const strongest = Math.max(...answer.maps.flatMap(({ values }) => values.map(Math.abs)), 1e-9);
    const isHot = element("-heat").checked && !answer.missing;
    ["-query", "-result"].forEach((name, side) => {
      if (pictures[side]) paint(element(name), pictures[side], isHot && answer.maps[side], strongest);
    });
  }

  pressed(event) {
    const place = this.place + { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (this.results.get(place)) this.open(this.question, this.address, this.results, place);
  }
}

function textOf({ missing, similarity }, result) {
  const found = result.similarity ?? similarity;
  if (missing) return `Similarity ${found.toFixed(2)}. Which places make them alike cannot be said. ${missing}`;
  const text = `Similarity ${found.toFixed(2)}. The warmer a place, the more it adds; all places of either image add up to ${similarity.toFixed(2)}.`;
  const isSame = Math.abs(found - similarity) < 0.02;
  return isSame ? text : `${text} The rest is due to the steps behind the encoder, which the colours leave out.`;
}

/** Return an image, or a part of it, on a canvas of bounded size; null if it cannot be shown. */
async function pixelsOf(address, box) {
  const image = new Image();
  image.src = address;
  if (!(await image.decode().then(() => true, () => false))) return null;
  const [left, top, right, bottom] = box ?? [0, 0, 1, 1];
  const width = (right - left) * image.naturalWidth;
  const height = (bottom - top) * image.naturalHeight;
  const scale = SIDE / Math.max(width, height);
  const canvas = new OffscreenCanvas(Math.max(width * scale, 1), Math.max(height * scale, 1));
  const from = [left * image.naturalWidth, top * image.naturalHeight, width, height];
  canvas.getContext("2d").drawImage(image, ...from, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function paint(canvas, picture, map, strongest) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (!map) return;
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const [red, green, blue] = pixels.data.subarray(at, at + 3);
    const grey = 0.3 * red + 0.59 * green + 0.11 * blue;
    pixels.data.fill(0.7 * grey + 30, at, at + 3); // flatter, so that colours stand out
  }
  context.putImageData(pixels, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(coloured(map, strongest), 0, 0, canvas.width, canvas.height);
}

/** Return the map as colours that are the more opaque the more a place adds. */
function coloured({ width, height, values }, strongest) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  values.forEach((value, place) => {
    const strength = Math.min(Math.abs(value) / strongest, 1);
    const [weak, strong] = value > 0 ? WARM : COLD;
    weak.forEach((shade, channel) => {
      pixels.data[4 * place + channel] = shade + strength * (strong[channel] - shade);
    });
    pixels.data[4 * place + 3] = 225 * strength ** 1.7; // little is left of what adds little
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
