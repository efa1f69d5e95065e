// Where answers come from: the server that this page came from.
//
// A published site has another file of this name, with the same functions, which computes in the browser.

/** Fields of a question: an image of the index by its reference, and the part of it. */
function fieldsOf({ image, box }) {
  const fields = new URLSearchParams();
  if (image) fields.set("image", image);
  if (box) fields.set("box", box.map((share) => share.toFixed(4)).join());
  return fields;
}

async function ask(what, fields = "", file = null) {
  const sent = file ? { method: "POST", body: file } : {};
  const answer = await fetch(`api/${what}?${fields}`, sent).catch(() => {
    throw new Error("The server does not answer: start `skdeepenc browse` again.");
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error ?? `The server failed (${answer.status}).`);
  return content;
}

export const collection = () => ask("collection");

export const images = (folder, start, count) => ask("images", new URLSearchParams({ folder, start, count }));

export const duplicates = () => ask("duplicates");

export function similar(question, folder) {
  const fields = fieldsOf(question);
  fields.set("folder", folder);
  return ask("similar", fields, question.file);
}

export function reasons(question, result) {
  const fields = fieldsOf(question);
  fields.set("result", result.ref);
  return ask("match", fields, question.file);
}

/** What the button says that explains a result, and what it opens. */
export const words = { why: "Why?", title: "Why these two match" };

export const small = (image) => `small/${image.ref}`;
export const large = (image) => `large/${image.ref}`;
