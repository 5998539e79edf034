// Runs a generated policy, as WebAssembly, on observations from standard input; its records go to standard output, laid
// out as in vectors.c. Arguments: the program, the export's name, features, actions, numbers that are remembered, bytes
// of a score, 1 where actions are a box's, bytes of a record, and where in it scores, input, action and act are. Exit
// status: how many of its own tests fail. With memory, rows and records are those of memory.h.
import fs from 'node:fs';
import {openPolicy} from '../templates/demo/policy.mjs';

const [, , program, name, ...numbers] = process.argv;
const [features, actions, units, scoreBytes, continuous, size, ...places] = numbers.map(Number);
const [atScores, atInput, atAction, atAct] = places;
const about = {name, features, actions, scoreBytes, continuous: continuous === 1, units};
const policy = await openPolicy(fs.readFileSync(program), about);
const {obs, input, scores, action, state} = policy.at;
const q15 = continuous === 1 ? policy.find('q15') : null;
const given = fs.readFileSync(0);
const row = 4 * (features + units);
const count = given.length / row;
const out = Buffer.alloc(count * size);
for (let i = 0; i < count; i++) {
  const memory = policy.view(Uint8Array, 0);
  memory.set(given.subarray(row * i, row * i + 4 * features), obs);
  const remember = () => {
    for (let k = 0; k < units; k++) memory[state + k] = 128 * given.readFloatLE(row * i + 4 * (features + k));
  };
  remember();
  out.set(memory.subarray(state, state + units), i * size + atInput + features);
  policy.quantise(obs, input);
  policy.infer(input, scores);
  out.set(memory.subarray(scores, scores + scoreBytes * actions), i * size + atScores);
  out.set(memory.subarray(state, state + units), i * size + atScores + actions);
  out.set(memory.subarray(input, input + features), i * size + atInput);
  remember();
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
