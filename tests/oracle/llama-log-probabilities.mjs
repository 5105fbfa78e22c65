// Prints llama.cpp's log-probabilities after each of the given tokens: one JSON array [vocabulary] per line, of several models one after another.
// node llama-log-probabilities.mjs FOLDER_WITH_NODE_MODULES MODEL.gguf 1,5,7 [MODEL.gguf 2,3]
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [,, folder, ...runs] = process.argv;
const {getLlama} = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")));
const llama = await getLlama({gpu: false, build: "never", logLevel: "error"});
let lines = "";
for (let run = 0; run < runs.length; run += 2) {
    const model = await llama.loadModel({modelPath: runs[run]});
    // In single precision throughout: the default cache and flash attention round keys and values to half precision.
    const context = await model.createContext({contextSize: 256, flashAttention: false, experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32"});
    const options = {temperature: 1, topK: 0, topP: 1, minP: 0};
    const rows = await context.getSequence().controlledEvaluate(
        runs[run + 1].split(",").map(id => [Number(id), {generateNext: {probabilities: true, options}}]));
    for (const row of rows) {
        const logs = [];
        for (const [id, probability] of row.next.probabilities)
            logs[id] = Math.log(probability);
        lines += JSON.stringify(logs) + "\n";
    }
    await context.dispose();
    await model.dispose();
}
// A pipe is written in the background: exit only when all of it is out.
await new Promise(done => process.stdout.write(lines, done));
process.exit(0);
