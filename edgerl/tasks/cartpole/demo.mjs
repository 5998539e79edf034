// CartPole in an export's page: the simulator's step, and its picture. `recorded.mjs` says what a play is.

const PUSH = 0.8; // m/s that a visitor's push adds to the cart's velocity

/**
 * The state after one step: what `env.py` computes, with numbers of 64 bits inside of a step and of 32 between steps.
 * @param {number[]} state Position (m), velocity (m/s), angle (rad), angular velocity (rad/s).
 * @param {number} action 0: left, 1: right.
 * @param {object} p The export's parameters.
 */
export function stepCartPole([x, xDot, theta, thetaDot], action, p) {
  const mass = p.masscart + p.masspole;
  const [sin, cos] = [Math.sin(theta), Math.cos(theta)];
  const force = action === 1 ? p.force_mag : -p.force_mag;
  const temp = (force + p.masspole * p.length * thetaDot ** 2 * sin) / mass;
  const thetaAcc = (p.gravity * sin - cos * temp) / (p.length * (4 / 3 - (p.masspole * cos ** 2) / mass));
  const xAcc = temp - (p.masspole * p.length * thetaAcc * cos) / mass;
  const next = [x + p.tau * xDot, xDot + p.tau * xAcc, theta + p.tau * thetaDot, thetaDot + p.tau * thetaAcc];
  return next.map(Math.fround);
}

/** Whether the cart is out of its track or the pole fell. */
export function hasFallen([x, , theta], p) {
  return Math.abs(x) > Math.fround(p.x_threshold) || Math.abs(theta) > Math.fround(p.theta_threshold_radians);
}

export function createPlay(data) {
  const p = data.params;
  const needed = ['gravity', 'masscart', 'masspole', 'length', 'force_mag', 'tau', 'theta_threshold_radians',
    'x_threshold', 'max_steps_in_episode'];
  const kept = {4: [0, 1, 2, 3], 2: [0, 2]}[data.sizes[0]]; // what is observed of the state; two without velocities
  if (!kept || data.sizes.at(-1) !== 2 || needed.some((name) => !Number.isFinite(p[name]))) return null;

  let state = [0, 0, 0, 0];
  let before = state;
  let time = 0;
  let best = 0;
  let flash = null; // of a visitor's push: its direction, and how visible it still is
  const push = (direction) => {
    state = state.map((number, i) => (i === 1 ? Math.fround(number + direction * PUSH) : number));
    flash = {direction, left: 1};
  };
  const ending = () => {
    best = Math.max(best, time);
    if (hasFallen(state, p)) return `It fell after ${time} steps.`;
    return time >= p.max_steps_in_episode ? `It stood for all ${time} steps of an episode.` : null;
  };

  return {
    about: `A cart balances a pole. ${Math.round(1 / p.tau)} times a second the exported C sees ${kept.length} ` +
      'numbers and pushes the cart left or right. Push it yourself, with the buttons or the arrow keys, and see ' +
      'whether it recovers.',
    stepsPerSecond: 1 / p.tau,
    shape: 0.36,
    pushes: [
      {label: 'Push left', key: 'ArrowLeft', press: () => push(-1)},
      {label: 'Push right', key: 'ArrowRight', press: () => push(1)},
    ],
    reset(random) {
      state = Array.from({length: 4}, () => Math.fround(random() * 0.1 - 0.05));
      before = state;
      time = 0;
      flash = null;
    },
    observe: () => kept.map((i) => state[i]),
    step(action) {
      before = state;
      state = stepCartPole(state, action, p);
      time++;
      return {reward: 1, ended: ending()};
    },
    counters: () => [['step', time], ['return', time], ['best return', Math.max(best, time)]],
    draw(canvas, {width, height, fraction, colours, decision}) {
      const metre = width / (2 * p.x_threshold + 0.7);
      const between = (i) => before[i] + (state[i] - before[i]) * fraction;
      const [x, angle, floor] = [width / 2 + between(0) * metre, between(2), height - 32];
      const pole = 2 * p.length * metre;
      const [cartWide, cartHigh] = [0.5 * metre, 0.26 * metre];
      const hinge = floor - cartHigh;
      const line = (colour, wide, ...points) => {
        canvas.strokeStyle = colour;
        canvas.lineWidth = wide;
        canvas.lineCap = 'round';
        canvas.beginPath();
        points.forEach(([px, py], i) => (i === 0 ? canvas.moveTo(px, py) : canvas.lineTo(px, py)));
        canvas.stroke();
      };
      const arrow = (colour, fromX, y, length) => {
        const [tip, head] = [fromX + length, Math.sign(length) * 0.09 * metre];
        line(colour, 0.035 * metre, [fromX, y], [tip, y], [tip - head, y - 0.07 * metre], [tip, y],
          [tip - head, y + 0.07 * metre]);
      };

      // The angle beyond which the pole counts as fallen.
      const limit = p.theta_threshold_radians;
      canvas.fillStyle = colours.soft;
      canvas.beginPath();
      canvas.moveTo(x, hinge);
      canvas.arc(x, hinge, pole * 1.12, -Math.PI / 2 - limit, -Math.PI / 2 + limit);
      canvas.fill();
      // The track and its ends.
      line(colours.muted, 2, [0, floor], [width, floor]);
      canvas.font = '12px system-ui, sans-serif';
      canvas.textAlign = 'center';
      for (const end of [-p.x_threshold, 0, p.x_threshold]) {
        const at = width / 2 + end * metre;
        line(end === 0 ? colours.muted : colours.bad, 2, [at, floor], [at, floor + 8]);
        canvas.fillStyle = colours.muted;
        canvas.fillText(`${end} m`, at, floor + 27);
      }
      // The cart, its wheels, the pole.
      canvas.fillStyle = colours.accent;
      canvas.beginPath();
      canvas.roundRect(x - cartWide / 2, hinge, cartWide, cartHigh * 0.75, 0.05 * metre);
      canvas.fill();
      canvas.fillStyle = colours.ink;
      for (const side of [-0.3, 0.3]) {
        canvas.beginPath();
        canvas.arc(x + side * cartWide, floor - 0.065 * metre, 0.065 * metre, 0, 2 * Math.PI);
        canvas.fill();
      }
      const fallen = hasFallen(state, p);
      line(fallen ? colours.bad : colours.warm, 0.075 * metre, [x, hinge],
        [x + Math.sin(angle) * pole, hinge - Math.cos(angle) * pole]);
      canvas.fillStyle = colours.ink;
      canvas.beginPath();
      canvas.arc(x, hinge, 0.035 * metre, 0, 2 * Math.PI);
      canvas.fill();
      // What pushes: the policy ahead of the cart, a visitor above it.
      const direction = decision.action === 1 ? 1 : -1;
      arrow(colours.accent, x + (direction * cartWide) / 2 + direction * 0.06 * metre, floor - cartHigh * 0.55,
        direction * 0.22 * metre);
      if (flash !== null && flash.left > 0) {
        canvas.globalAlpha = flash.left;
        arrow(colours.bad, x - flash.direction * 0.7 * metre, hinge - 0.12 * metre,
          flash.direction * 0.55 * metre);
        canvas.globalAlpha = 1;
        flash.left -= 0.03;
      }
    },
  };
}
