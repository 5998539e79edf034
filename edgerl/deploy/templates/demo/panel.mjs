/**
 * What is written beside the picture: observations with their integers, scores, the decision, counters.
 * @returns {function} write(decision, counters), counters: [[name, text]].
 */
export function createPanel(data) {
  const ROWS = 12; // of observations that are shown; a network may see hundreds
  const byId = (id) => document.getElementById(id);
  const add = (row, kind, text = '', className = '') => {
    const cell = Object.assign(document.createElement(kind), {textContent: text, className});
    row.append(cell);
    return cell;
  };
  const addBar = (row) => { // from the middle to either side; takes a share from -1 to 1
    const fill = add(add(add(row, 'td', '', 'bar'), 'div'), 'i');
    return (share) => {
      fill.style.left = `${50 + 50 * Math.min(share, 0)}%`;
      fill.style.width = `${50 * Math.abs(share)}%`;
    };
  };
  const nameAndUnit = (text) => { // of "cart position, m" or "margin: what it means"
    const [colon, comma] = [text.indexOf(': '), text.lastIndexOf(', ')];
    if (colon >= 0) return [text.slice(0, colon), ''];
    return comma < 0 ? [text, ''] : [text.slice(0, comma), text.slice(comma + 2)];
  };
  const newRow = (table) => byId(table).tBodies[0].insertRow();

  const seen = data.observations.slice(0, ROWS).map((text) => {
    const [name, unit] = nameAndUnit(text);
    const row = newRow('observation');
    row.title = text;
    add(add(row, 'td', `${name} `), 'small', unit);
    return {number: add(row, 'td', '', 'number'), integer: add(row, 'td', '', 'number'), fill: addBar(row)};
  });
  const hidden = data.observations.length - ROWS;
  if (hidden > 0) add(newRow('observation'), 'td', `and ${hidden} more`).colSpan = 4;
  const actions = data.actions.map((text) => {
    const row = newRow('scores');
    const [name, unit] = data.continuous ? nameAndUnit(text) : [text, ''];
    add(add(row, 'td', `${name} `), 'small', unit);
    const value = data.continuous ? add(row, 'td', '', 'number') : null; // in the unit; the score is its integer
    return {row, value, number: add(row, 'td', '', 'number'), fill: addBar(row)};
  });
  const titles = byId('scores').tHead.rows[0];
  if (data.continuous) {
    titles.cells[1].before(Object.assign(document.createElement('th'), {textContent: 'value', className: 'number'}));
    titles.cells[2].textContent = 'int8';
  }

  return ({observation, input, scores, action}, counters) => {
    seen.forEach(({number, integer, fill}, i) => {
      number.textContent = observation[i].toFixed(3);
      integer.textContent = input[i];
      fill(input[i] / 128);
    });
    const largest = data.scoreBytes === 1 ? 128 : Math.max(...scores.map(Math.abs), 1);
    actions.forEach(({row, value, number, fill}, i) => {
      if (value !== null) value.textContent = action[i].toFixed(3);
      number.textContent = scores[i];
      fill(scores[i] / largest);
      row.className = i === action ? 'chosen' : '';
    });
    const list = byId('counters');
    while (list.childElementCount < counters.length) {
      const pair = add(list, 'div');
      add(pair, 'dt');
      add(pair, 'dd');
    }
    counters.forEach(([name, text], i) => {
      list.children[i].firstChild.textContent = name;
      list.children[i].lastChild.textContent = text;
    });
  };
}

/**
 * The canvas, sharp on any screen.
 * @returns {function} draw(play, fraction, decision).
 */
export function createPicture(canvas) {
  const colours = {};
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['surface', 'ink', 'muted', 'line', 'accent', 'warm', 'good', 'bad', 'soft']) {
      colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  };
  readColours();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readColours);
  const context = canvas.getContext('2d');
  return (play, fraction, decision) => {
    const [width, ratio] = [canvas.clientWidth, devicePixelRatio || 1];
    const height = Math.round(width * play.shape);
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, {width: across, height: down});
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    play.draw(context, {width, height, fraction, colours, decision});
  };
}
