// Run an exported pipeline on one image: RGB bytes in, every output as plain numbers out.

export async function runGraph(ort, model, pixels, height, width) {
  ort.env.wasm.numThreads = 1; // threads want headers that a plain server does not send
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const images = new ort.Tensor("uint8", pixels, [1, height, width, 3]);
  const outputs = await session.run({ images });
  const plain = Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data, Number)]);
  return Object.fromEntries(plain);
}
