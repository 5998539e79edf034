/**
 * The play of an environment that has none of its own: steps through recorded observations, with a slider a feature.
 *
 * What any play is:
 *   about            one or two sentences on what is seen and what can be done
 *   stepsPerSecond   at speed 1
 *   shape            height of the picture over its width
 *   pushes           buttons, [{label, key, press()}], key as in KeyboardEvent.key
 *   reset(random)    starts an episode; random() is uniform in [0, 1)
 *   observe()        what the policy sees: an array of numbers
 *   decide()         optional: {observation, input, scores, action}, where the policy is asked in another way
 *   step(action)     {reward, ended}; ended: null, or a line that says how. The action: a number, or a box's numbers
 *   draw(canvas, picture)   picture: {width, height, fraction of the next step, colours, decision}
 *   counters()       optional: [[name, text]] beside steps and return
 *   controls(changed)       optional: an element with controls of its own; changed() asks for a decision without a step
 *   pause            optional: seconds between an episode and the next
 *
 * A play's module defines `createPlay(data, policy)`, which may return null where an export is not as it expects. It
 * shares one scope with the modules of this folder: their functions' names are taken.
 */
export function createRecorded(data) {
  const features = data.sizes[0];
  const bytes = Uint8Array.from(atob(data.recorded), (character) => character.charCodeAt(0));
  const rows = new Float32Array(bytes.buffer);
  const count = rows.length / features;
  const names = data.observations.map((text) => text.split(/[:,] /)[0]);
  const inputs = [];
  let row = 0;
  let seen = rows.slice(0, features);
  let byHand = false;

  const show = () => inputs.forEach((input, i) => { input.value = seen[i]; });
  return {
    about: `This environment has no picture of its own. The page steps through ${count} observations that were ` +
      'recorded in it, and the exported C decides about each. Move a slider to make an observation of your own.',
    stepsPerSecond: 2,
    shape: 0.4,
    pushes: [],
    reset() {
      row = 0;
      byHand = false;
      seen = rows.slice(0, features);
      show();
    },
    observe: () => seen,
    step() {
      if (byHand) return {reward: 0, ended: null};
      row = (row + 1) % count;
      seen = rows.slice(row * features, (row + 1) * features);
      show();
      return {reward: 0, ended: null};
    },
    counters: () => [['observation', byHand ? 'yours' : `${row + 1} of ${count}`]],
    controls(changed) {
      const element = document.createElement('div');
      element.className = 'sliders';
      for (let i = 0; i < Math.min(features, 12); i++) {
        const label = document.createElement('label');
        const input = document.createElement('input');
        const [low, high] = [data.low[i], data.high[i]];
        Object.assign(input, {type: 'range', min: low, max: high, step: (high - low) / 1000});
        input.addEventListener('input', () => {
          byHand = true;
          seen = seen.slice();
          seen[i] = Number(input.value);
          changed();
        });
        label.append(names[i], input);
        element.append(label);
        inputs.push(input);
      }
      show();
      return element;
    },
    draw(canvas, {width, height, colours, decision}) {
      const wide = width / features;
      decision.input.forEach((value, i) => {
        const tall = (value / 128) * (height / 2 - 22);
        canvas.fillStyle = value < 0 ? colours.warm : colours.accent;
        canvas.fillRect(i * wide + wide * 0.15, height / 2 - Math.max(tall, 0), wide * 0.7, Math.abs(tall));
      });
      canvas.fillStyle = colours.muted;
      canvas.fillRect(0, height / 2, width, 1);
      canvas.font = '12px system-ui, sans-serif';
      canvas.textAlign = 'left';
      canvas.fillText('the int8 inputs', 6, 14);
      if (wide < 60) return;
      canvas.textAlign = 'center';
      names.forEach((name, i) => canvas.fillText(name, (i + 0.5) * wide, height - 6, wide - 6));
    },
  };
}
