// Where answers come from on a published site: its own files, and the visitor's browser, which runs the encoder.
//
// Images that are searched with stay in the browser. The functions are those of source.js, whose place this takes.

const LARGEST = 1280; // pixels of the longer side that the encoder is given

/** Remember what is fetched, and forget what could not be. */
function remembered(work) {
  const known = new Map();
  return (key) => {
    if (!known.has(key)) {
      known.set(
        key,
        work(key).catch((error) => {
          known.delete(key);
          throw error;
        }),
      );
    }
    return known.get(key);
  };
}

async function fetched(address, options) {
  const answer = await fetch(address, options).catch(() => null);
  if (!answer?.ok) throw new Error(`${address} cannot be loaded: try again, or tell who keeps this site.`);
  return answer;
}

const json = remembered(async (address) => (await fetched(address)).json());

export const collection = () => json("site.json");

export const duplicates = () => json("duplicates.json");

const listing = (number) => json(`images/${number}.json`);

async function entry(place) {
  const { images_a_file: size } = await collection();
  return (await listing(Math.floor(place / size)))[place % size];
}

export async function images(folder, start, count) {
  const { folders } = await collection();
  const { first, count: all } = folders[folder] ?? folders[0];
  const places = Array.from({ length: Math.max(Math.min(count, all - start), 0) }, (_, place) => first + start + place);
  return { total: all, images: await Promise.all(places.map(entry)) };
}

/** The scales and bytes of one file of vectors; see `codes.py`. */
const vectors = remembered(async (number) => {
  const { n_images, vectors_a_file: size } = await collection();
  const content = await (await fetched(`vectors/${number}.bin`)).arrayBuffer();
  const count = Math.min(size, n_images - number * size);
  return { scales: new Float32Array(content, 0, count), codes: new Int8Array(content, 4 * count) };
});

async function vectorOf(place) {
  const { n_features: width, vectors_a_file: size } = await collection();
  const { scales, codes } = await vectors(Math.floor(place / size));
  const row = place % size;
  return Float32Array.from(codes.subarray(row * width, (row + 1) * width), (code) => code * scales[row]);
}

const session = remembered(async () => {
  const { runtime } = await collection();
  const [binary, script] = await Promise.all([
    fetched(runtime.binary.address, { integrity: runtime.binary.integrity }),
    fetched(runtime.script.address, { integrity: runtime.script.integrity }),
  ]);
  // A script of another host runs from memory, where it is what was checked.
  const isOwn = !runtime.script.address.includes("://");
  const address = isOwn ? new URL(runtime.script.address, document.baseURI) : URL.createObjectURL(await script.blob());
  const ort = await import(address);
  ort.env.wasm.numThreads = 1; // threads want headers that a plain server does not send
  ort.env.wasm.wasmBinary = await binary.arrayBuffer();
  const encoder = await ort.InferenceSession.create("encoder.onnx", { executionProviders: ["wasm"] });
  return { ort, encoder };
});

/** Pixels of an image, or of a part of it, on white, as three bytes each. */
async function pixelsOf({ image, file, box }) {
  const content = file ?? (await (await fetched(small({ ref: image }))).blob());
  const bitmap = await createImageBitmap(content).catch(() => {
    throw new Error("This is not an image that this browser can read.");
  });
  const [left, top, right, bottom] = box ?? [0, 0, 1, 1];
  const from = [left * bitmap.width, top * bitmap.height, (right - left) * bitmap.width, (bottom - top) * bitmap.height];
  const scale = Math.min(LARGEST / Math.max(from[2], from[3]), 1);
  const [width, height] = [from[2], from[3]].map((side) => Math.max(Math.round(side * scale), 1));
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, ...from, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, pixels: data.filter((_, at) => at % 4 < 3) };
}

/** The vector of a question, of unit length. */
async function encoded(question) {
  const { width, height, pixels } = await pixelsOf(question);
  const { ort, encoder } = await session("encoder.onnx");
  const images = new ort.Tensor("uint8", new Uint8Array(pixels), [1, height, width, 3]);
  const { vector } = await encoder.run({ images }, ["vector"]);
  const length = Math.hypot(...vector.data) || 1;
  return vector.data.map((value) => value / length);
}

/** Similarities of consecutive images with a query, file by file. */
async function similarities(query, first, count) {
  const { n_features: width, vectors_a_file: size } = await collection();
  const found = new Float32Array(count);
  for (let place = first; place < first + count; ) {
    const number = Math.floor(place / size);
    const end = Math.min((number + 1) * size, first + count);
    const { scales, codes } = await vectors(number);
    for (; place < end; place += 1) {
      const row = place - number * size;
      let sum = 0;
      for (let at = 0, code = row * width; at < width; at += 1, code += 1) sum += query[at] * codes[code];
      found[place - first] = sum * scales[row];
    }
  }
  return found;
}

export async function similar(question, folder, most = 100) {
  const { folders } = await collection();
  const { first, count } = folders[folder] ?? folders[0];
  const isWhole = question.image && !question.box;
  const query = await (isWhole ? vectorOf(Number(question.image)) : encoded(question));
  const found = await similarities(query, first, count);
  const order = Uint32Array.from(found, (_, place) => place).sort((a, b) => found[b] - found[a]);
  const ranked = Array.from(order.subarray(0, most), async (place) => ({
    ...(await entry(first + place)),
    similarity: Math.min(found[place], 1),
  }));
  const asked = question.image ? await entry(Number(question.image)) : null;
  return { query: asked, images: await Promise.all(ranked) };
}

export const reasons = async () => ({
  missing: "This site computes vectors alone.",
  maps: [],
});

export const words = { why: "Compare", title: "Side by side" };

export const small = ({ ref }) => `small/${Math.floor(ref / 1000)}/${ref}.jpg`;
export const large = small;
