// What is shown follows from the address: all images, those like another one, or copies.
//
// So the browser's own back and forward keys work, and a view can be kept as a bookmark. Names of images are
// only ever put into the page as text.

import { Marker } from "./box.js";
import { Grid, Listed, Paged } from "./grid.js";
import { ReasonsDialog } from "./reasons.js";
import * as source from "./source.js";
import { showGroups, sizeOf } from "./views.js";

const byId = (id) => document.getElementById(id);
const counted = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
const sent = new Map(); // files that were dropped or chosen, by their numbers, with the addresses of their pixels
const left = new Map(); // how far views were scrolled when they were left
let known; // what the source says of the collection
let turn = 0; // answers to questions of earlier turns come too late

const grid = new Grid(byId("grid"), {
  onOpen: (image) => go({ view: "similar", image: image.ref }),
  onExplain: (image, place) => dialog.open(question, byId("asked-image").src, grid.list, place),
});
const dialog = new ReasonsDialog();
const marker = new Marker(byId("frame"), byId("box"), (box) => {
  const { image, file } = viewed();
  if (!box) marker.show(null);
  go({ view: "similar", image, file, box: box?.map((share) => share.toFixed(4)).join() });
});
let question = {};

/** What the address says. */
function viewed() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const { view = "all", image, file, box, folder = "0" } = Object.fromEntries(fields);
  return { view, image, file, box, folder: known?.folders[folder] ? Number(folder) : 0 };
}

/** Go to another view, in the same folder unless another is given. */
function go(fields) {
  const { folder } = viewed();
  left.set(location.hash, scrollY);
  const kept = Object.entries({ folder, ...fields }).filter(([, value]) => value);
  location.hash = new URLSearchParams(kept);
}

/** Go to where this view was left, or to its top. */
function arrive() {
  scrollTo({ top: left.get(location.hash) ?? 0, behavior: "instant" });
}

function say(message) {
  byId("message").hidden = !message;
  byId("message").firstElementChild.textContent = message;
}

/** Do something that takes a while; what goes wrong is said. */
async function during(work) {
  const timer = setTimeout(() => (byId("progress").hidden = false), 150);
  const mine = ++turn;
  try {
    const answer = await work();
    return mine === turn ? answer : undefined;
  } catch (error) {
    if (mine === turn) say(error.message);
    return undefined;
  } finally {
    clearTimeout(timer);
    if (mine === turn) byId("progress").hidden = true;
  }
}

async function show() {
  say("");
  const view = viewed();
  const isSimilar = view.view === "similar";
  byId("asked").hidden = !isSimilar;
  document.querySelector("main").classList.toggle("asks", isSimilar);
  byId("folder").value = view.folder;
  byId("groups").hidden = view.view !== "duplicates";
  byId("grid").hidden = view.view === "duplicates";
  for (const name of ["all", "duplicates"]) {
    if (view.view === name) byId(`to-${name}`).setAttribute("aria-current", "page");
    else byId(`to-${name}`).removeAttribute("aria-current");
    byId(`to-${name}`).href = `#${new URLSearchParams({ view: name, folder: view.folder })}`;
  }
  await (views[view.view] ?? showAll)(view);
}

const views = { similar: showSimilar, duplicates: showDuplicates };

async function showAll({ folder }) {
  turn += 1;
  byId("progress").hidden = true;
  const total = known.folders[folder]?.count ?? known.n_images;
  const failed = known.n_failures ? `, ${known.n_failures.toLocaleString("en")} could not be read` : "";
  byId("summary").textContent = total
    ? `${counted(total, "image")}${failed}. ${known.missing ?? "Choose one for those like it, or drop one from anywhere."}`
    : "There are no images in this index yet.";
  const page = (start, count) => source.images(folder, start, count).then(notice).then(({ images }) => images);
  grid.show(new Paged(total, page, { onLoad: grid.soon, onError: ({ message }) => say(message) }));
  arrive();
}

async function showSimilar({ image, file, box, folder }) {
  const chosen = sent.get(file);
  if (file && !chosen) {
    grid.show(new Listed([]));
    byId("summary").textContent = "Choose the image again: files are not kept when the page is left.";
    byId("asked").hidden = true;
    return;
  }
  question = { image, file: chosen?.file, box: box?.split(",").map(Number) };
  const picture = byId("asked-image");
  const address = chosen?.address ?? source.large({ ref: image });
  if (picture.getAttribute("src") !== address) picture.src = address;
  marker.show(question.box ?? null);
  byId("whole").hidden = !box;
  byId("hint").textContent = "";
  byId("asked-name").textContent = chosen?.file.name ?? "";
  byId("summary").textContent = "Searching …";
  const answer = await during(() => source.similar(question, folder));
  if (!answer) {
    if (!byId("message").hidden) byId("summary").textContent = "";
    return;
  }
  if (answer.query) {
    byId("asked-name").textContent = answer.query.name;
    byId("hint").textContent = sizeOf(answer.query);
  }
  picture.alt = byId("asked-name").textContent;
  const where = folder ? ` in ${known.folders[folder].name}` : "";
  byId("summary").textContent = `The ${counted(answer.images.length, "image")}${where} most like ${box ? "this part" : "this one"}`;
  grid.show(new Listed(answer.images), { isRanked: true });
  arrive();
  notice(answer);
}

/** Say why an image is not shown, which the server knows of its own images. */
async function sayWhyMissing(address) {
  const answer = question.image && (await fetch(address).catch(() => null));
  const { error } = (answer && (await answer.json().catch(() => null))) || {};
  byId("hint").textContent = error ?? "This browser cannot show the image.";
}

async function showDuplicates({ folder }) {
  byId("groups").replaceChildren();
  byId("summary").textContent = "Comparing all images with one another …";
  const answer = await during(source.duplicates);
  if (!answer) return;
  const end = known.folders[folder]?.end ?? Infinity;
  const groups = answer.groups.filter((group) => group.some((image) => image.folder >= folder && image.folder < end));
  byId("summary").textContent = groups.length
    ? `${counted(groups.length, "group")} of images that are copies of one another, or nearly so`
    : "No image is a copy of another.";
  showGroups(byId("groups"), groups, (image) => go({ view: "similar", image: image.ref }));
  arrive();
}

/** Read the collection again if an answer is of another state of it. */
function notice(answer) {
  if (answer.generation !== known.generation) {
    known.generation = answer.generation;
    const isSimilar = viewed().view === "similar"; // what it shows is new already
    begin().then(() => isSimilar || show(), ({ message }) => say(message));
  }
  return answer;
}

async function begin() {
  known = await source.collection();
  byId("title").textContent = document.title = known.title;
  byId("folder-field").hidden = known.folders.length < 2;
  byId("folder").replaceChildren(
    ...known.folders.map(({ name, depth, count }, number) => {
      const label = number ? `${"\u2003".repeat(depth - 1)}${name.split("/").pop()}` : "All folders";
      return new Option(`${label} (${count.toLocaleString("en")})`, number);
    }),
  );
}

/** Search with a file that somebody has on the machine. */
function send(file) {
  if (!file) return;
  const number = String(sent.size + 1);
  sent.set(number, { file, address: URL.createObjectURL(file) });
  go({ view: "similar", file: number });
}

const isFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function listen() {
  addEventListener("hashchange", show);
  byId("choose").onclick = () => byId("file").click();
  byId("file").onchange = ({ target }) => {
    send(target.files[0]);
    target.value = "";
  };
  addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    byId("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => (byId("drop").hidden = !event.relatedTarget || byId("drop").hidden));
  addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    byId("drop").hidden = true;
    send(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => send(event.clipboardData.files[0]));
  byId("folder").onchange = ({ target }) => go({ ...viewed(), folder: Number(target.value) });
  byId("mark").onclick = () => marker.begin();
  byId("whole").onclick = () => marker.onMark(null);
  byId("message").lastElementChild.onclick = () => say("");
  byId("asked-image").onerror = ({ target }) => sayWhyMissing(target.src);
}

history.scrollRestoration = "manual"; // views are filled after the browser would scroll
listen();
begin().then(show, ({ message }) => say(message));
