// Runs a generated policy, as WebAssembly, on observations from standard input; its records go to standard output, laid
// out as in vectors.c. Arguments: the program, the export's name, features, actions, bytes of a score, 1 where actions are
// a box's, bytes of a record, and where in it scores, input, action and act are. Exit status: how many of its own tests
// fail.
import fs from 'node:fs';
import {openPolicy} from '../templates/demo/policy.mjs';

const [, , program, name, ...numbers] = process.argv;
const [features, actions, scoreBytes, continuous, size, atScores, atInput, atAction, atAct] = numbers.map(Number);
const about = {name, features, actions, scoreBytes, continuous: continuous === 1};
const policy = await openPolicy(fs.readFileSync(program), about);
const {obs, input, scores, action} = policy.at;
const q15 = continuous === 1 ? policy.find('q15') : null;
const given = fs.readFileSync(0);
const count = given.length / (4 * features);
const out = Buffer.alloc(count * size);
for (let i = 0; i < count; i++) {
  const memory = policy.view(Uint8Array, 0);
  memory.set(given.subarray(4 * features * i, 4 * features * (i + 1)), obs);
  policy.quantise(obs, input);
  policy.infer(input, scores);
  out.set(memory.subarray(scores, scores + scoreBytes * actions), i * size + atScores);
  out.set(memory.subarray(input, input + features), i * size + atInput);
  if (continuous === 0) {
    out.writeInt32LE(policy.argmax(scores), i * size + atAction);
    out.writeInt32LE(policy.act(obs), i * size + atAct);
    continue;
  }
  q15(scores, action + 4 * actions); // behind the floats, as in answer.h
  for (const [decide, from, at] of [[policy.inUnits, scores, atAction], [policy.act, obs, atAct]]) {
    decide(from, action);
    out.set(memory.subarray(action, action + 6 * actions), i * size + at);
  }
}
fs.writeSync(1, out);
process.exitCode = Math.min(policy.selfTest(), 255); // of which a shell sees the lowest byte
