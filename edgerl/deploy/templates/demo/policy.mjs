// An export's C as WebAssembly, for the page and for `edgerl verify`. The program imports nothing; it has one memory,
// in which a caller's arrays lie from `__heap_base` on.

/**
 * Loads a program.
 * @param {BufferSource} program The WebAssembly.
 * @param {{name: string, features: number, actions: number, scoreBytes: number, continuous: boolean, units: number}}
 *   about The export's name and sizes, whether each score is a number of the action, and how many numbers are remembered.
 */
export async function openPolicy(program, {name, features, actions, scoreBytes, continuous, units}) {
  const {instance} = await WebAssembly.instantiate(program, {});
  const exported = instance.exports;
  // Each function's symbol ends with a hash: eight hexadecimal digits.
  const find = (word) => {
    const symbol = Object.keys(exported).find((key) => key.slice(0, -9) === `${name}_${word}`);
    if (symbol === undefined) throw new Error(`it has no function ${name}_${word}`);
    return exported[symbol];
  };
  const [quantise, compute, choose] = ['quantise', 'infer', units > 0 ? 'step' : 'act'].map(find);
  const argmax = continuous ? null : find('argmax');
  const inUnits = continuous ? find('action') : null;
  const selfTests = Object.keys(exported).filter((key) => /_self_test_[0-9a-f]{8}$/.test(key));

  const obs = (exported.__heap_base.value + 7) & ~7;
  const input = obs + 4 * features;
  const scores = (input + features + 7) & ~7;
  const action = (scores + scoreBytes * actions + 7) & ~7; // of a box: float32, behind them int16 in Q15
  const state = (action + (continuous ? 6 * actions : 0) + 7) & ~7; // what is remembered, int8
  const free = (state + units + 7) & ~7;
  /** Makes room for `size` bytes more behind the policy's own arrays, and says where they begin. */
  const reserve = (size) => {
    while (exported.memory.buffer.byteLength < free + size) exported.memory.grow(1);
    return free;
  };
  reserve(0);
  const view = (kind, at, length) => new kind(exported.memory.buffer, at, length);
  const [infer, act] = [compute, choose].map((call) => (units > 0 ? (...given) => call(state, ...given) : call));
  let remembered = new Int8Array(units); // before the observation that is decided about
  const decided = () => {
    if (!continuous) return argmax(scores);
    inUnits(scores, action);
    return view(Float32Array, action, actions).slice();
  };

  return {
    find, reserve, view, quantise, infer, argmax, inUnits, act,
    at: {obs, input, scores, action, state},
    /** How many of the program's own tests fail: 0 where it computes as it should. */
    selfTest: () => selfTests.reduce((failures, key) => failures + exported[key](), selfTests.length > 0 ? 0 : 1),
    /** Before an episode, of which nothing is remembered. */
    forget() {
      if (units === 0) return;
      find('reset')(state);
      this.advance();
    },
    /** After a step: what the last decision left in memory is what the next one begins with. */
    advance() { remembered = view(Int8Array, state, units).slice(); },
    /** Decides about the observation that lies at `at.obs`; the action is a number, or a box's Float32Array. */
    decide() {
      view(Int8Array, state, units).set(remembered);
      quantise(obs, input);
      infer(input, scores);
      return {
        observation: view(Float32Array, obs, features).slice(),
        input: view(Int8Array, input, features).slice(),
        scores: view(scoreBytes === 1 ? Int8Array : Int32Array, scores, actions).slice(),
        action: decided(),
      };
    },
  };
}
