/** Runs the self-test and, if it passes, the play: decides, steps, draws, and says so in the page. */
async function startPage() {
  const ROWS = 12; // of observations that are shown
  const PAUSE = 1.3; // seconds between an episode and the next
  const byId = (id) => document.getElementById(id);
  const made = (kind, text = '', className = '') => Object.assign(document.createElement(kind), {textContent: text, className});
  const tell = document.body.dataset; // what tests read
  const data = JSON.parse(byId('data').textContent);
  const program = Uint8Array.from(atob(byId('program').textContent), (character) => character.charCodeAt(0));
  const [features, actions] = [data.sizes[0], data.sizes.at(-1)];
  const policy = await openPolicy(program, {name: data.name, features, actions, scoreBytes: data.scoreBytes});

  const failures = policy.selfTest();
  tell.selfTest = failures;
  const badge = byId('self-test');
  badge.classList.add(failures === 0 ? 'good' : 'bad');
  badge.textContent = failures === 0
    ? '\u2713 self-test: 0 failed, this browser computes as the chip does'
    : `self-test: ${failures} failed, this browser computes something else, so nothing is decided`;
  byId('foot').textContent =
    `The decisions come from ${data.name}.c of this export, a network of ${data.sizes.join('-')} neurons in integers: ` +
    `the file that goes onto the microcontroller, here as ${program.length.toLocaleString('en')} bytes of WebAssembly. ` +
    `edgerl verify runs these bytes against JAX. The page loads nothing. Written by EdgeRL ${data.edgerl}.`;
  if (failures !== 0) return;

  const play = createPlay(data, policy) ?? createRecorded(data);
  const counted = {steps: 0, frames: 0, episodes: 0, episode: 0, sum: 0};
  let decision;
  let owed = 0; // steps that time asks for and were not made
  let waiting = 0; // seconds until the next episode
  let paused = false;
  let speed = 1;

  const decide = () => {
    if (play.decide) return play.decide();
    policy.view(Float32Array, policy.at.obs, features).set(play.observe());
    return policy.decide();
  };
  const reset = () => {
    play.reset(Math.random);
    Object.assign(counted, {episode: 0, sum: 0});
    owed = waiting = 0;
    byId('message').textContent = '';
    decision = decide();
  };
  const step = () => {
    decision = decide();
    const {reward, ended} = play.step(decision.action);
    counted.steps++;
    counted.episode++;
    counted.sum += reward;
    if (ended === null) return;
    counted.episodes++;
    waiting = play.pause ?? PAUSE;
    byId('message').textContent = ended;
  };

  // What is written beside the picture.
  const nameAndUnit = (text) => { // of "cart position, m" or "margin: what it means"
    const [colon, comma] = [text.indexOf(': '), text.lastIndexOf(', ')];
    if (colon >= 0) return [text.slice(0, colon), ''];
    return comma < 0 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 2)];
  };
  const bar = (row) => {
    const cell = made('td', '', 'bar');
    const box = made('div');
    const fill = made('i');
    box.append(fill);
    cell.append(box);
    row.append(cell);
    return (share) => {
      fill.style.left = `${50 + 50 * Math.min(share, 0)}%`;
      fill.style.width = `${50 * Math.abs(share)}%`;
    };
  };
  const seenRows = data.observations.slice(0, ROWS).map((text) => {
    const [name, unit] = nameAndUnit(text);
    const row = byId('observation').tBodies[0].insertRow();
    row.append(made('td', name));
    row.title = text;
    const [value, integer] = [made('td', '', 'number'), made('td', '', 'number')];
    const number = made('span');
    value.append(number, made('small', unit && ` ${unit}`));
    row.append(value, integer);
    return {number, integer, fill: bar(row)};
  });
  if (features > ROWS) byId('observation').tBodies[0].insertRow().append(made('td', `and ${features - ROWS} more`));
  const scoreRows = data.actions.map((text) => {
    const row = byId('scores').tBodies[0].insertRow();
    const number = made('td', '', 'number');
    row.append(made('td', text), number);
    return {row, number, fill: bar(row)};
  });
  const write = () => {
    seenRows.forEach(({number, integer, fill}, i) => {
      number.textContent = decision.observation[i].toFixed(3);
      integer.textContent = decision.input[i];
      fill(decision.input[i] / 128);
    });
    const largest = data.scoreBytes === 1 ? 128 : Math.max(...decision.scores.map(Math.abs), 1);
    scoreRows.forEach(({row, number, fill}, i) => {
      number.textContent = decision.scores[i];
      fill(decision.scores[i] / largest);
      row.className = i === decision.action ? 'chosen' : '';
    });
    const all = play.counters?.() ?? [
      ['step', counted.episode], ['return', counted.sum.toFixed(0)], ['episode', counted.episodes + (waiting > 0 ? 0 : 1)],
    ];
    byId('counters').replaceChildren(...all.map(([name, text]) => {
      const pair = made('div');
      pair.append(made('dt', name), made('dd', text));
      return pair;
    }));
    Object.assign(tell, {steps: counted.steps, frames: counted.frames, episodes: counted.episodes});
  };

  // The picture.
  const canvas = byId('stage');
  const colours = {};
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['surface', 'ink', 'muted', 'line', 'accent', 'warm', 'good', 'bad', 'soft']) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  };
  readColours();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readColours);
  const draw = () => {
    const [width, ratio] = [canvas.clientWidth, devicePixelRatio || 1];
    const height = Math.round(width * play.shape);
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, {width: across, height: down});
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    play.draw(context, {width, height, fraction: Math.min(owed, 1), colours, decision});
  };

  // Controls.
  const press = ({press: act}) => {
    if (waiting === 0) act();
  };
  for (const push of play.pushes) {
    const button = made('button', `${push.label} `);
    button.type = 'button';
    button.append(made('kbd', push.key.replace('ArrowLeft', '\u2190').replace('ArrowRight', '\u2192')));
    button.addEventListener('click', () => press(push));
    byId('pushes').append(button);
  }
  const pause = () => {
    paused = !paused;
    byId('pause').firstChild.data = paused ? 'Go on ' : 'Pause ';
  };
  byId('pause').addEventListener('click', pause);
  byId('reset').addEventListener('click', reset);
  byId('speed').addEventListener('change', (event) => { speed = Number(event.target.value); });
  addEventListener('keydown', (event) => {
    if (event.target.matches('input, select, button') && event.key !== 'r') return; // they have keys of their own
    const push = play.pushes.find(({key}) => key === event.key);
    if (push) press(push);
    else if (event.key === ' ') pause();
    else if (event.key.toLowerCase() === 'r') reset();
    else return;
    event.preventDefault();
  });
  byId('about').textContent = play.about;
  if (play.controls) byId('own').append(play.controls(() => { decision = decide(); }));

  let last = performance.now();
  const frame = (now) => {
    const seconds = Math.min(Math.max(now - last, 0), 250) / 1000; // a tab in the background sleeps
    last = now;
    if (!paused && waiting > 0) {
      waiting -= seconds;
      if (waiting <= 0) reset();
    } else if (!paused) {
      owed += seconds * speed * play.stepsPerSecond;
      for (; owed >= 1 && waiting === 0; owed--) step();
    }
    draw();
    counted.frames++;
    write();
    requestAnimationFrame(frame);
  };
  reset();
  requestAnimationFrame(frame);
}

await startPage();
