// Runs a generated policy, as WebAssembly, on observations from standard input; its records go to standard output, laid
// out as in vectors.c. Arguments: the program, the export's name, features, bytes of the scores, bytes of a record, and
// where in it scores, input, action and act are. Exit status: how many of its own tests fail.
import fs from 'node:fs';

const [, , program, name, ...numbers] = process.argv;
const [features, scoreBytes, size, atScores, atInput, atAction, atAct] = numbers.map(Number);
const { instance } = await WebAssembly.instantiate(fs.readFileSync(program), {});
const exported = instance.exports;
// Each function's symbol ends with the model's hash.
const find = (word) => exported[Object.keys(exported).find((key) => key.startsWith(`${name}_${word}_`))];
const [quantise, infer, argmax, act, selfTest] = ['quantise', 'infer', 'argmax', 'act', 'self_test'].map(find);

const obs = exported.__heap_base.value;
const input = obs + 4 * features;
const scores = (input + features + 7) & ~7;
while (exported.memory.buffer.byteLength < scores + scoreBytes) exported.memory.grow(1);
const memory = new Uint8Array(exported.memory.buffer);

const given = fs.readFileSync(0);
const count = given.length / (4 * features);
const out = Buffer.alloc(count * size);
for (let i = 0; i < count; i++) {
  memory.set(given.subarray(4 * features * i, 4 * features * (i + 1)), obs);
  quantise(obs, input);
  infer(input, scores);
  out.set(memory.subarray(scores, scores + scoreBytes), i * size + atScores);
  out.set(memory.subarray(input, input + features), i * size + atInput);
  out.writeInt32LE(argmax(scores), i * size + atAction);
  out.writeInt32LE(act(obs), i * size + atAct);
}
fs.writeSync(1, out);
process.exitCode = selfTest();
