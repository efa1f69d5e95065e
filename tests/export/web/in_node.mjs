// node in_node.mjs ONNXRUNTIME_WEB MODEL PIXELS HEIGHT WIDTH: print the outputs as JSON.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runGraph } from "./run_graph.mjs";

const [folder, model, pixels, height, width] = process.argv.slice(2);
const ort = await import(pathToFileURL(join(folder, "dist", "ort.node.min.mjs")));
const content = await Promise.all([model, pixels].map(async (path) => new Uint8Array(await readFile(path))));
console.log(JSON.stringify(await runGraph(ort, ...content, Number(height), Number(width))));
