/** An episode after the other: the policy decides, the play steps. Time passes in `pass`. */
function createEpisodes(play, policy, features, say) {
  const PAUSE = 1.3; // seconds between an episode and the next
  const counted = {steps: 0, episodes: 0, episode: 0, sum: 0};
  let decision;
  let owed = 0; // steps that time asks for and were not made
  let waiting = 0; // seconds until the next episode

  const decide = () => {
    if (play.decide) return play.decide();
    policy.view(Float32Array, policy.at.obs, features).set(play.observe());
    return policy.decide();
  };
  const reset = () => {
    play.reset(Math.random);
    policy.forget();
    Object.assign(counted, {episode: 0, sum: 0});
    owed = waiting = 0;
    say('');
    decision = decide();
  };
  const step = () => {
    decision = decide();
    policy.advance();
    const {reward, ended} = play.step(decision.action);
    counted.steps++;
    counted.episode++;
    counted.sum += reward;
    if (ended === null) return;
    counted.episodes++;
    waiting = play.pause ?? PAUSE;
    say(ended);
  };
  return {
    counted,
    reset,
    refresh: () => { decision = decide(); },
    decision: () => decision,
    fraction: () => Math.min(owed, 1),
    over: () => waiting > 0,
    pass(seconds, speed) {
      if (waiting > 0) {
        waiting -= seconds;
        if (waiting <= 0) reset();
        return;
      }
      owed += seconds * speed * play.stepsPerSecond;
      for (; owed >= 1 && waiting === 0; owed--) step();
    },
    counters: () => play.counters?.() ?? [['step', counted.episode], ['return', counted.sum.toFixed(0)]],
  };
}

/** Buttons and keys. `state.paused` and `state.speed` follow them. */
function connectControls(play, episodes, state) {
  const byId = (id) => document.getElementById(id);
  const press = (push) => {
    if (!episodes.over()) push.press();
  };
  for (const push of play.pushes) {
    const button = Object.assign(document.createElement('button'), {type: 'button', textContent: `${push.label} `});
    const key = push.key.replace('ArrowLeft', '\u2190').replace('ArrowRight', '\u2192');
    button.append(Object.assign(document.createElement('kbd'), {textContent: key}));
    button.addEventListener('click', () => press(push));
    byId('pushes').append(button);
  }
  const pause = () => {
    state.paused = !state.paused;
    byId('pause').firstChild.data = state.paused ? 'Go on ' : 'Pause ';
  };
  byId('pause').addEventListener('click', pause);
  byId('reset').addEventListener('click', episodes.reset);
  byId('speed').addEventListener('change', (event) => { state.speed = Number(event.target.value); });
  // A button that the mouse presses takes no focus, with which the space bar would press it again.
  addEventListener('mousedown', (event) => { if (event.target.closest('button')) event.preventDefault(); });
  addEventListener('keydown', (event) => {
    const push = play.pushes.find(({key}) => key === event.key);
    // What has the focus has keys of its own: arrows move a slider, space presses a button.
    const taken = event.target.matches('input, select') || (event.target.matches('button') && event.key === ' ');
    if (taken || event.ctrlKey || event.metaKey || event.altKey) return;
    if (push) press(push);
    else if (event.key === ' ') pause();
    else if (event.key === 'r' || event.key === 'R') episodes.reset();
    else return;
    event.preventDefault();
  });
  if (play.controls) byId('own').append(play.controls(episodes.refresh));
}

/** Runs the self-test and says what came out; true if the play may begin. */
function selfTestPasses(policy, data, size) {
  const failures = policy.selfTest();
  document.body.dataset.selfTest = failures;
  const badge = document.getElementById('self-test');
  badge.classList.add(failures === 0 ? 'good' : 'bad');
  badge.textContent = failures === 0
    ? '\u2713 self-test: 0 failed, this browser computes as the chip does'
    : `self-test: ${failures} failed, this browser computes something else, so nothing is decided`;
  document.getElementById('foot').textContent =
    `The decisions come from ${data.name}.c of this export, a network of ${data.sizes.join('-')} neurons in ` +
    'integers: the file that goes onto the microcontroller, here as ' +
    `${size.toLocaleString('en')} bytes of WebAssembly. "edgerl verify" runs these bytes against JAX. The page loads ` +
    `nothing. Written by EdgeRL ${data.edgerl}.`;
  return failures === 0;
}

async function startPage() {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId('data').textContent);
  const program = Uint8Array.from(atob(byId('program').textContent), (character) => character.charCodeAt(0));
  const [features, actions] = [data.sizes[0], data.sizes[data.sizes.length - 1]];
  const {name, scoreBytes, continuous, units} = data;
  const about = {name, features, actions, scoreBytes, continuous, units};
  const policy = await openPolicy(program, about).catch((error) => {
    throw new Error(`the WebAssembly in it does not run, so no self-test was made; export again (${error.message})`);
  });
  if (!selfTestPasses(policy, data, program.length)) return;

  const play = createPlay(data, policy) ?? createRecorded(data);
  const episodes = createEpisodes(play, policy, features, (text) => { byId('message').textContent = text; });
  const [draw, write] = [createPicture(byId('stage')), createPanel(data)];
  const state = {paused: false, speed: 1};
  connectControls(play, episodes, state);
  byId('about').textContent = play.about;
  episodes.reset();

  let frames = 0;
  let last = performance.now();
  const frame = (now) => {
    const seconds = Math.min(Math.max(now - last, 0), 250) / 1000; // a tab in the background sleeps
    last = now;
    if (!state.paused) episodes.pass(seconds, state.speed);
    draw(play, episodes.fraction(), episodes.decision());
    write(episodes.decision(), episodes.counters());
    const {steps, episodes: ended} = episodes.counted;
    Object.assign(document.body.dataset, {frames: ++frames, steps, episodes: ended}); // what tests read
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

startPage().catch((error) => {
  const badge = document.getElementById('self-test');
  badge.className = 'badge bad';
  badge.textContent = `This page is damaged: ${error.message}`;
  throw error;
});
