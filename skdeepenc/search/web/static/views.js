// Groups of copies, one below the other.

import { fillTile, makeTile } from "./grid.js";

const AT_ONCE = 100;

/** Show groups; `onOpen` is given an image that was clicked. */
export function showGroups(element, groups, onOpen) {
  element.replaceChildren();
  const more = document.createElement("button");
  more.type = "button";
  let shown = 0;
  const addMore = () => {
    more.remove();
    const next = groups.slice(shown, shown + AT_ONCE);
    element.append(...next.map((group) => sectionOf(group, onOpen)));
    shown += next.length;
    more.textContent = `Show more of ${groups.length - shown}`;
    if (shown < groups.length) element.append(more);
  };
  more.onclick = addMore;
  addMore();
}

/** How many pixels an image has, in words. */
export const sizeOf = ({ width, height }) => (width ? `${width} × ${height}` : "");

function said(text) {
  const line = document.createElement("div");
  line.className = "said";
  line.textContent = line.title = text;
  return line;
}

function sectionOf(group, onOpen) {
  const section = document.createElement("section");
  section.className = "group";
  const heading = section.appendChild(document.createElement("h2"));
  const least = Math.min(...group.map(({ similarity }) => similarity));
  heading.textContent = `${group.length} images, similarity ${least > 0.9995 ? "1" : least.toFixed(3)}`;
  const tiles = section.appendChild(document.createElement("div"));
  tiles.className = "tiles";
  tiles.setAttribute("role", "list");
  for (const { similarity, ...image } of group) {
    const tile = makeTile();
    tile.picture.loading = "lazy";
    fillTile(tile, image);
    tile.open.onclick = () => onOpen(image);
    tile.element.append(said(image.name), said(sizeOf(image)));
    tiles.append(tile.element);
  }
  return section;
}
