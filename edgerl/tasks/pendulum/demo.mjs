// Pendulum in an export's page: the simulator's step, and its picture. `recorded.mjs` says what a play is.

const KICK = 3; // rad/s that a visitor's push adds to the rod's angular velocity

/** An angle in [-pi, pi). */
const wrappedAngle = (angle) => angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));

/**
 * One step: what `env.py` computes, with numbers of 64 bits inside of a step and of 32 between steps.
 * @param {number[]} state Angle from upright (rad), positive to the left; angular velocity (rad/s).
 * @param {number} action Torque, N m; beyond the limit it is clipped.
 * @param {object} p The export's parameters.
 * @returns {{state: number[], reward: number}}
 */
export function stepPendulum([theta, thetaDot], action, p) {
  const torque = Math.min(Math.max(action, -p.max_torque), p.max_torque);
  const cost = theta ** 2 + 0.1 * thetaDot ** 2 + 0.001 * torque ** 2;
  const acceleration = ((1.5 * p.gravity) / p.length) * Math.sin(theta) + (3 / (p.mass * p.length ** 2)) * torque;
  const faster = thetaDot + p.tau * acceleration;
  const next = Math.min(Math.max(faster, -p.max_speed), p.max_speed);
  return {state: [wrappedAngle(theta + p.tau * next), next].map(Math.fround), reward: -cost};
}

export function createPlay(data) {
  const p = data.params;
  const needed = ['gravity', 'mass', 'length', 'max_torque', 'max_speed', 'tau', 'max_steps_in_episode'];
  const features = data.sizes[0]; // two without the velocity
  const fits = data.continuous && data.sizes.at(-1) === 1 && (features === 2 || features === 3);
  if (!fits || needed.some((name) => !Number.isFinite(p[name]))) return null;

  let state = [0, 0];
  let before = state;
  let time = 0;
  let total = 0;
  const push = (direction) => {
    const faster = state[1] + direction * KICK;
    state = [state[0], Math.fround(Math.min(Math.max(faster, -p.max_speed), p.max_speed))];
  };
  return {
    about: 'A motor at the hinge is too weak to lift the rod at once: it has to swing it up, and then to hold it. ' +
      `${Math.round(1 / p.tau)} times a second the exported C sees ${features} numbers and sets the torque. Push the ` +
      'rod yourself, with the buttons or the arrow keys.',
    stepsPerSecond: 1 / p.tau,
    shape: 0.55,
    pushes: [
      {label: 'Push left', key: 'ArrowLeft', press: () => push(1)},
      {label: 'Push right', key: 'ArrowRight', press: () => push(-1)},
    ],
    reset(random) {
      state = [Math.PI * (2 * random() - 1), 2 * random() - 1].map(Math.fround);
      before = state;
      time = total = 0;
    },
    observe: () => [Math.cos(state[0]), Math.sin(state[0]), state[1]].slice(0, features),
    step(action) {
      before = state;
      const made = stepPendulum(state, action[0], p);
      state = made.state;
      time++;
      total += made.reward;
      const over = time >= p.max_steps_in_episode;
      return {reward: made.reward, ended: over ? `The episode's ${time} steps are over.` : null};
    },
    counters: () => [
      ['step', time],
      ['return', total.toFixed(1)],
      ['angle from upright', `${Math.round((state[0] * 180) / Math.PI)}\u00b0`],
    ],
    draw(canvas, {width, height, fraction, colours, decision}) {
      const angle = before[0] + wrappedAngle(state[0] - before[0]) * fraction;
      const [x, y, rod] = [width / 2, height / 2, height * 0.38];
      const arc = (colour, wide, radius, from, to, anticlockwise) => {
        canvas.strokeStyle = colour;
        canvas.lineWidth = wide;
        canvas.beginPath();
        canvas.arc(x, y, radius, from, to, anticlockwise);
        canvas.stroke();
      };
      canvas.lineCap = 'round';
      arc(colours.soft, 2, rod * 1.12, 0, 2 * Math.PI, false);
      // Upright, where the rod should stay.
      canvas.fillStyle = colours.muted;
      canvas.beginPath();
      canvas.arc(x, y - rod * 1.12, 4, 0, 2 * Math.PI);
      canvas.fill();
      canvas.strokeStyle = Math.abs(angle) < 0.2 ? colours.good : colours.warm;
      canvas.lineWidth = rod * 0.16;
      canvas.beginPath();
      canvas.moveTo(x, y);
      canvas.lineTo(x - Math.sin(angle) * rod, y - Math.cos(angle) * rod);
      canvas.stroke();
      canvas.fillStyle = colours.ink;
      canvas.beginPath();
      canvas.arc(x, y, rod * 0.05, 0, 2 * Math.PI);
      canvas.fill();
      // The torque: an arc from the top of the hinge to the side that it turns to, a third of a turn at most.
      const share = decision.action[0] / p.max_torque;
      const end = -Math.PI / 2 - (share * 2 * Math.PI) / 3;
      arc(colours.accent, rod * 0.05, rod * 0.3, -Math.PI / 2, end, share > 0);
    },
  };
}
