// Early exits in an export's page: the exits' answers about test images, and when the exported C stops. `recorded.mjs`
// says what a play is. Of an image the page has the logits of every exit and the label, no pixel.

/** The images of `export/images.py`: logits(image, exit), as the exits gave them, and how many there are of each. */
export function readImages(said) {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
  const [units, scales] = [new Int8Array(bytes(said.logits)), new Float32Array(bytes(said.scale))];
  const [exits, classes] = [said.temperatures.length, said.classes];
  const logits = (image, exit) => {
    const at = image * exits + exit;
    return Float32Array.from(units.subarray(at * classes, (at + 1) * classes), (unit) => unit * scales[at]);
  };
  return {count: said.labels.length, exits, classes, logits};
}

/** The class with the largest logit, and its probability at the exit's temperature. */
export function answerOf(logits, temperature) {
  const prediction = logits.indexOf(Math.max(...logits));
  const sum = logits.reduce((total, logit) => total + Math.exp((logit - logits[prediction]) / temperature), 0);
  return {prediction, probability: 1 / sum};
}

/**
 * One step, as `env.py` has it: an image stops, or goes on to the next exit.
 * @param {{image: number, exit: number}} state Where it is.
 * @param {number} action 0: go on, 1: stop.
 * @param {boolean} correct Whether this exit's answer is right.
 * @param {{params: object, play: object}} data The page's.
 * @param {number | null} preference What the policy is told, from 0 to 1; null: it takes none.
 */
export function stepEarlyExit({image, exit}, action, correct, {params: p, play}, preference) {
  const terminated = action === 1 || exit === play.temperatures.length - 1;
  if (!terminated) return {state: {image, exit: exit + 1}, reward: 0, terminated};
  const cost = (p.beta * play.latency_ms[exit]) / p.max_latency_ms + (p.gamma * play.macs[exit]) / p.max_macs +
    (p.delta * play.energy_mj[exit]) / p.max_energy_mj;
  const factor = preference === null ? 1 : p.preference_low * (p.preference_high / p.preference_low) ** preference;
  return {state: {image, exit}, reward: p.alpha * Number(correct) - cost * factor, terminated};
}

export function createPlay(data, policy) {
  const {play, name} = data;
  const images = readImages(play);
  const {exits} = images;
  const [init, observe, shouldExit] = ['exits_init', 'observe', 'should_exit'].map(policy.find);
  // In the program's memory: struct NAME_exits, of an int for each exit, one more and perhaps a float, then the logits.
  const struct = policy.reserve(4 * (exits + 2) + 4 * images.classes + 4);
  const logitsAt = struct + 4 * (exits + 2);
  const asks = data.observations.some((text) => text.startsWith('preference'));
  let preference = 0.5;
  let order = [];
  let state = {image: 0, exit: 0};
  const total = {images: 0, right: 0, lastRight: 0, energy: 0, latency: 0, reward: 0};
  const tiles = []; // {text, kind, exit, stopped, x, y}; the newest last

  const answer = (exit) => answerOf(images.logits(state.image, exit), play.temperatures[exit]);
  const isRight = (exit) => answer(exit).prediction === play.labels[state.image];
  const tell = () => {
    const {prediction, probability} = answer(state.exit);
    const text = [`class ${prediction}`, `${Math.round(100 * probability)} %`];
    Object.assign(tiles.at(-1), {exit: state.exit, text});
  };
  const stop = () => {
    const right = isRight(state.exit);
    Object.assign(tiles.at(-1), {stopped: true, kind: right ? 'good' : 'bad'});
    total.images++;
    total.right += right;
    total.lastRight += isRight(exits - 1);
    total.energy += play.energy_mj[state.exit];
    total.latency += play.latency_ms[state.exit];
  };
  const share = (part) => (total.images === 0 ? '\u2013' : `${Math.round((100 * part) / total.images)} %`);
  const rounded = (number) => Number(number.toPrecision(3)).toLocaleString('en');

  return {
    about: `A network answers after each of its ${exits} stages; the exported C sees how sure an answer is and ` +
      'decides whether to stop there, which spares energy; at the last exit it stops whatever the scores are. Green ' +
      'answers were right, red ones wrong. Energy and time are those of the board profile ' +
      `"${play.board}"; of ${images.count} test images the page has the answers, not the pixels.`,
    stepsPerSecond: 3,
    shape: 0.48,
    pause: 0.5,
    pushes: [],
    reset(random) {
      if (order.length === 0) order = play.labels.map((_, i) => [random(), i]).sort(([a], [b]) => a - b);
      state = {image: order.pop()[1], exit: 0};
      init(struct);
      if (tiles.at(-1)?.stopped === false) tiles.pop(); // an image that a visitor's reset cut short
      tiles.push({text: [], kind: 'accent', exit: 0, stopped: false, x: -0.5, y: 0});
      if (tiles.length > 60) tiles.shift();
      tell();
    },
    observe: () => policy.view(Float32Array, policy.at.obs, data.sizes[0]),
    decide() {
      policy.view(Float32Array, logitsAt, images.classes).set(images.logits(state.image, state.exit));
      if (asks) policy.view(Float32Array, struct + 4 * (exits + 1), 1)[0] = preference;
      observe(struct, logitsAt, state.exit, policy.at.obs);
      return {...policy.decide(), action: shouldExit(struct, logitsAt, state.exit)};
    },
    step(action) {
      const told = asks ? preference : null;
      const {state: next, reward, terminated} = stepEarlyExit(state, action, isRight(state.exit), data, told);
      state = next;
      if (terminated) stop();
      else tell();
      total.reward += reward;
      return {reward, ended: terminated ? '' : null};
    },
    counters: () => [
      ['images', total.images],
      ['right', share(total.right)],
      ['right at the last exit', share(total.lastRight)],
      ['energy', `${rounded(total.energy)} mJ`],
      ['always to the end', `${rounded(total.images * play.energy_mj[exits - 1])} mJ`],
      ['spared', share(total.images - total.energy / play.energy_mj[exits - 1])],
      ['time an image', total.images === 0 ? '\u2013' : `${rounded(total.latency / total.images)} ms`],
      ['return an image', total.images === 0 ? '\u2013' : (total.reward / total.images).toFixed(2)],
    ],
    controls(changed) {
      const element = document.createElement('div');
      if (!asks) return element;
      element.className = 'sliders';
      const [label, input] = [document.createElement('label'), document.createElement('input')];
      Object.assign(input, {type: 'range', min: 0, max: 1, step: 0.05, value: preference});
      input.addEventListener('input', () => {
        preference = Number(input.value);
        changed();
      });
      label.append('preference: spare nothing \u2026 most', input);
      element.append(label);
      return element;
    },
    draw(canvas, {width, height, colours}) {
      const wide = width / exits;
      const [tall, gap] = [Math.min(42, height * 0.13), 6];
      const box = {top: 22, height: tall + 16};
      const pile = box.top + box.height + 34;
      canvas.textAlign = 'center';
      for (let exit = 0; exit < exits; exit++) {
        const middle = (exit + 0.5) * wide;
        canvas.fillStyle = colours.muted;
        canvas.font = '12px system-ui, sans-serif';
        canvas.fillText(`stage ${exit + 1}`, middle, 14);
        const energy = `${rounded(play.energy_mj[exit])} mJ`;
        canvas.fillText(wide < 110 ? energy : `exit ${exit + 1}: ${energy}`, middle, pile - 10);
        canvas.fillStyle = colours.soft;
        canvas.beginPath();
        canvas.roundRect(exit * wide + 4, box.top, wide - 8, box.height, 8);
        canvas.fill();
      }
      const piled = Array(exits).fill(0);
      for (const tile of tiles.slice().reverse()) {
        const level = tile.stopped ? piled[tile.exit]++ : 0;
        const y = tile.stopped ? pile + level * (tall + gap) : box.top + 8;
        tile.x += ((tile.exit + 0.5) - tile.x) * 0.15; // in stages, so that a window of another width changes nothing
        tile.y += (y - tile.y) * 0.15;
        if (tile.y > height) continue;
        canvas.globalAlpha = Math.max(0.25, 1 - 0.14 * level);
        canvas.fillStyle = colours[tile.kind];
        canvas.beginPath();
        canvas.roundRect(tile.x * wide - wide / 2 + 10, tile.y, wide - 20, tall, 7);
        canvas.fill();
        canvas.fillStyle = colours.surface;
        canvas.font = `600 ${Math.min(13, wide / 7.5)}px system-ui, sans-serif`;
        tile.text.forEach((text, line) => canvas.fillText(text, tile.x * wide, tile.y + tall * (0.42 + 0.4 * line)));
        canvas.globalAlpha = 1;
      }
    },
  };
}
