// Prints what another implementation makes of texts: for each of the files a line per text, a JSON array of ids.
// node tokenizers.mjs FOLDER_WITH_NODE_MODULES huggingface|llama TEXTS.json FILE...       (tokenizer.json of Hugging Face, or GGUF vocabularies)
import {readFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [,, folder, oracle, list, ...files] = process.argv;
const texts = JSON.parse(readFileSync(list, "utf8"));
let lines = "";
const print = ids => lines += JSON.stringify(Array.from(ids)) + "\n";
if (oracle === "huggingface") {
    const {Tokenizer} = (await import(pathToFileURL(join(folder, "node_modules/tokenizers/index.js")))).default;
    for (const file of files) {
        const tokenizer = Tokenizer.fromFile(file);
        for (const text of texts)
            print((await tokenizer.encode(text, null, {addSpecialTokens: false})).getIds());
    }
} else {
    const {getLlama} = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")));
    const llama = await getLlama({gpu: false, build: "never", logLevel: "error"});
    for (const file of files) {
        const model = await llama.loadModel({modelPath: file, vocabOnly: true});
        for (const text of texts)
            print(model.tokenize(text, true));
        await model.dispose();
    }
}
// A pipe is written in the background: exit only when all of it is out.
await new Promise(done => process.stdout.write(lines, done));
process.exit(0);
