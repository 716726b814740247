/* One sentence: its texts, and where a system looked, as a matrix or as lines. */

const END = "</s>", LEAST_LINE = 0.05, LEAST_TOLD = 0.05;
const CELLS = { least: 3, readable: 13, digits: 26, most: 64 };
/* Pixels of a cell: the smallest, the smallest with titles, the smallest with digits, the largest. */
const SIDE_BY_SIDE = 20;
/* Columns of a matrix that still has room for the lines beside it. */

const currentViews = () => ofSentence(state.sentence).outputs[state.system].views;
const currentView = () => currentViews()[state.view];
let found = null; // the alignment that is shown

function numbers(packed) {
  const levels = new Map([...data.levels].map((character, level) => [character, level]));
  const flat = [], characters = [...packed];
  for (let place = 0; place < characters.length; place++) {
    if (characters[place] === data.zeros) flat.push(...Array(levels.get(characters[++place])).fill(0));
    else flat.push(levels.get(characters[place]) / 100);
  }
  return flat;
}

function unpack(view) {
  const flat = numbers(view.weights);
  const source = [...(view.source || words(ofSentence(state.sentence).source)), END];
  const target = [...(view.target || words(view.text)), END];
  const rows = target.map((_, row) => flat.slice(row * source.length, (row + 1) * source.length));
  const gold = new Set(view.isReference && byId("gold").checked ? (ofSentence(state.sentence).gold || []).map(([i, j]) => `${i}-${j}`) : []);
  const copied = view.copied === undefined ? null : numbers(view.copied); // of each target word, of a model that copies
  return { source, target, rows, gold, copied };
}

/* ---- the texts ---- */

function showTexts() {
  const sentence = ofSentence(state.sentence), reference = sentence.reference ?? null;
  const rows = [textRow("source", marked(sentence.source), { side: "source" })];
  if (reference !== null) rows.push(textRow("reference", marked(reference)));
  (sentence.further || []).forEach((text, place) => rows.push(textRow(`reference ${place + 2}`, marked(text))));
  sentence.outputs.forEach((output, system) => {
    if (!output.views.length) rows.push(textRow(data.systems[system], marked(output.text, reference), { value: output.value }));
    output.views.forEach((view, place) => rows.push(viewRow(view, output, system, place, reference)));
  });
  const head = ["text of", "log p", data.valueName || "value", "words"].map(title => html("th", { scope: "col", role: "columnheader" }, title));
  byId("texts").replaceChildren(html("thead", { role: "rowgroup" }, html("tr", { role: "row" }, head)), html("tbody", { role: "rowgroup" }, rows));
  const hasViews = sentence.outputs.some(output => output.views.length), hasValues = sentence.outputs.some(output => output.value !== null);
  for (const row of byId("texts").rows) {
    row.cells[1].hidden = !hasViews;
    row.cells[2].hidden = !hasValues;
  }
  byId("log-help").hidden = !hasViews;
  byId("marks").textContent = reference === null ? "Underlined: what a further translation has and the best one has not."
    : "Underlined: what a translation has and the reference has not; of a further translation, what the best one has not.";
}

function textRow(label, text, { value, logProb, view } = {}) {
  const cells = [[fixed(logProb, 3), "log p"], [fixed(value, 1), data.valueName]].map(([shown, title], place) =>
    html("td", { class: "number", role: "cell", "data-title": (place ? value : logProb) === undefined ? null : title }, (place ? value : logProb) === undefined ? "" : shown));
  return html("tr", { role: "row", ...view }, html("th", { scope: "row", role: "rowheader" }, label), cells, html("td", { class: "text", role: "cell", dir: "auto" }, text));
}

/** A translation with a button to choose whose look is shown. Further ones are seen of the chosen system alone. */
function viewRow(view, output, system, place, reference) {
  const choose = html("input", { type: "radio", name: "view", onchange: () => { Object.assign(state, { system, view: place }); remember(false); showAlignment(); } });
  const name = place === 0 ? data.systems[system] : view.label;
  const text = place === 0 ? marked(view.text, reference) : view.isReference ? marked(view.text) : marked(view.text, output.text);
  const row = textRow(html("label", {}, choose, " ", name), text, {
    logProb: view.logProb, value: place === 0 && output.value !== null ? output.value : undefined,
    view: { class: place ? "further" : null, "data-system": system, "data-view": place } });
  return row;
}

function markChosen() {
  for (const row of byId("texts").querySelectorAll("[data-view]")) {
    const isChosen = +row.dataset.system === state.system && +row.dataset.view === state.view;
    row.hidden = +row.dataset.view > 0 && +row.dataset.system !== state.system;
    row.querySelector("input").checked = isChosen;
    row.ariaCurrent = isChosen ? "true" : null;
  }
}

/** The words of both sides become buttons that light up what they look at. */
function showWords() {
  const [source] = byId("texts").tBodies[0].rows, chosen = byId("texts").querySelector("[aria-current]");
  for (const [row, side] of [[source, "source"], [chosen, "target"]]) {
    const plain = [...row.lastChild.querySelectorAll("mark.changed")].map(mark => mark.textContent);
    const buttons = found[side].map((text, place) => {
      const changed = side === "target" && plain[0] === text && plain.shift() !== undefined;
      return html("button", { type: "button", class: changed ? "word changed" : "word", tabindex: place ? -1 : 0, dir: "auto", "data-side": side, "data-place": place, onfocus: () => light(side, place), onmouseenter: () => light(side, place) }, hits(text));
    });
    const group = html("div", { role: "group", "aria-label": `${side} words`, onmouseleave: dim, onkeydown: event => walk(event, buttons, { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }) }, buttons.flatMap(button => [button, " "]));
    row.lastChild.replaceChildren(group);
  }
}

const wordsOf = side => [...byId("texts").querySelectorAll(`.word[data-side=${side}]`)];
const otherSide = side => (side === "target" ? "source" : "target");

/* ---- where it looks ---- */

function showAlignment() {
  showTexts();
  markChosen();
  const view = currentView(), hasWeights = view?.weights !== undefined, sentence = ofSentence(state.sentence);
  state.label = view?.label ?? null;
  byId("seen").hidden = byId("told").hidden = !hasWeights;
  if (!hasWeights) {
    byId("picture").replaceChildren(view?.isLeftOut ? "This alignment was left out to keep the page small." : "This system shows no attention here.");
    return;
  }
  byId("gold-switch").hidden = !(view.isReference && sentence.gold !== undefined);
  found = unpack(view);
  showWords();
  drawPicture();
}

function drawPicture() {
  const kind = state.kind ?? (found.source.length <= SIDE_BY_SIDE && innerWidth > 900 ? "both" : "matrix");
  document.querySelector(`[name=kind][value=${kind}]`).checked = true;
  const isBoth = kind === "both", parts = [];
  if (kind !== "lines") parts.push(matrix(isBoth));
  if (kind !== "matrix") parts.push(lines(isBoth));
  byId("picture").replaceChildren(...parts.map(part => html("div", { onmouseleave: dim }, part)));
  for (const id of ["smaller", "larger", "width", "whole"]) byId(id).disabled = kind === "lines";
  say("");
}

const say = text => { byId("told").textContent = text; };
const weightBetween = (side, place, other) => side === "target" ? found.rows[place][other] : found.rows[other][place];
const hasGold = (side, place, other) => found.gold.has(side === "target" ? `${other}-${place}` : `${place}-${other}`);

/** Lights up a word and what it looks at, or is looked at by; of a cell, also the crossing column. */
function light(side, place, column = null) {
  dim();
  wordsOf(side)[place].classList.add("chosen");
  const told = [];
  wordsOf(otherSide(side)).forEach((word, other) => {
    const weight = weightBetween(side, place, other);
    word.style.setProperty("--weight", weight);
    word.className = `${word.classList.contains("changed") ? "word changed" : "word"} lit${shade(weight)}${hasGold(side, place, other) ? " linked" : ""}${other === column ? " chosen" : ""}`;
    if (weight >= LEAST_TOLD) told.push([weight, found[otherSide(side)][other]]);
  });
  told.sort((a, b) => b[0] - a[0]);
  const list = told.map(([weight, text]) => `${text} ${weight.toFixed(2)}`).join(", ") || "nothing";
  const here = column === null ? "" : `${found.source[column]}: ${found.rows[place][column].toFixed(2)}. `;
  say(`${here}${found[side][place]} ${side === "target" ? "looks at" : "is looked at by"} ${list}${side === "target" && found.copied ? `; copied with probability ${found.copied[place].toFixed(2)}` : ""}`);
  const picture = byId("picture");
  for (const drawn of picture.querySelectorAll(`[data-${side}="${place}"]`)) drawn.classList.add(drawn.tagName === "TD" ? "crossed" : "chosen");
  if (column !== null) for (const drawn of picture.querySelectorAll(`[data-source="${column}"]`)) drawn.classList.add(drawn.tagName === "TD" ? "crossed" : "chosen");
  for (const line of picture.querySelectorAll(".lines path")) line.classList.toggle("faint", line.dataset[side] !== String(place));
}

function dim() {
  for (const word of byId("texts").querySelectorAll(".word")) {
    word.style.removeProperty("--weight");
    word.classList.remove("lit", "middle", "strong", "chosen", "linked");
  }
  for (const drawn of byId("picture").querySelectorAll(".chosen, .crossed, .faint")) drawn.classList.remove("chosen", "crossed", "faint");
  say("");
}

/** Pixels of a cell: as zoomed, or so that all columns fit, as long as titles can be read. */
function cellSize(room) {
  if (state.zoom !== null && state.zoom !== "whole") return state.zoom;
  const titles = Math.min(190, 0.32 * innerWidth, 20 + 8 * Math.max(...found.target.map(text => text.length)));
  const across = (room - titles) / found.source.length - 1;
  if (state.zoom !== "whole") return Math.floor(Math.min(CELLS.most, Math.max(CELLS.readable, across)));
  return Math.max(CELLS.least, Math.floor(Math.min(CELLS.most, across, (innerHeight - 160) / found.target.length - 1)));
}

function matrix(isBoth) {
  const cell = cellSize((isBoth ? 0.5 : 1) * byId("alignment").clientWidth - 24);
  const head = html("tr", { role: "row" }, html("td", { role: "presentation" }), found.source.map((text, column) =>
    html("th", { scope: "col", role: "columnheader", title: text, "data-source": column }, html("span", {}, text))));
  const body = found.target.map((text, row) => html("tr", { role: "row" },
    html("th", { scope: "row", role: "rowheader", title: text, dir: "auto", "data-target": row }, text),
    found.rows[row].map((weight, column) => matrixCell(weight, row, column))));
  const size = cell < CELLS.readable - 3 ? " plain tiny" : cell < CELLS.digits ? " plain" : "";
  const caption = found.gold.size ? html("caption", {}, "frames: gold links") : null;
  const table = html("table", { class: `matrix${size}`, role: "grid", "aria-label": "weights, a row a target word, a column a source word", css: { "--cell": `${cell}px`, "--columns": found.source.length } },
    caption, html("thead", { role: "rowgroup" }, head), html("tbody", { role: "rowgroup" }, body));
  const point = event => {
    const here = event.target.closest("td, th")?.dataset;
    if (here?.target === undefined && here?.source === undefined) return;
    if (here.target === undefined) light("source", +here.source);
    else light("target", +here.target, here.source === undefined ? null : +here.source);
  };
  table.addEventListener("mouseover", point);
  table.addEventListener("focusin", point);
  table.addEventListener("keydown", walkMatrix);
  return table;
}

function matrixCell(weight, row, column) {
  return html("td", {
    role: "gridcell", tabindex: row || column ? -1 : 0, "data-target": row, "data-source": column, css: { "--weight": weight },
    class: `cell${shade(weight)}${found.gold.has(`${column}-${row}`) ? " gold" : ""}`,
    "aria-label": `${found.target[row]}, ${found.source[column]}: ${weight.toFixed(2)}${found.gold.has(`${column}-${row}`) ? ", gold link" : ""}`,
  }, weight ? weight.toFixed(2).replace("0.", ".").replace("1.00", "1") : "");
}

function walkMatrix(event) {
  const here = event.target.closest("td.cell"), move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -Infinity], End: [0, Infinity] }[event.key];
  if (!here || !move) return;
  event.preventDefault();
  const clamp = (value, most) => Math.min(most - 1, Math.max(0, value));
  const row = clamp(+here.dataset.target + move[0], found.target.length), column = clamp(+here.dataset.source + move[1], found.source.length);
  const next = byId("picture").querySelector(`td[data-target="${row}"][data-source="${column}"]`);
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** Words of both sides spread over one height: sixty of them are seen at once. */
function lines(isBoth) {
  const most = Math.max(found.source.length, found.target.length), size = Math.max(14, Math.min(isBoth ? 48 : 30, (innerHeight - 140) / most));
  const width = Math.min(760, (isBoth ? 0.46 : 1) * byId("alignment").clientWidth - 10), height = size * most + 10, letters = Math.min(18, size - 2);
  const reach = texts => Math.min(0.38 * width, 10 + 0.62 * letters * Math.max(...texts.map(text => text.length)));
  const left = reach(found.source), right = width - reach(found.target);
  const y = (place, count) => 5 + ((height - 10) * (place + 0.5)) / count;
  const made = svg("svg", { class: "lines", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "source words on the left, target words on the right; the thicker a line, the more weight" });
  const line = (source, target, attributes) => {
    const [from, to] = [y(source, found.source.length), y(target, found.target.length)], middle = (left + right) / 2;
    made.append(svg("path", { d: `M${left + 6},${from} C${middle},${from} ${middle},${to} ${right - 6},${to}`, "data-source": source, "data-target": target, ...attributes }));
  };
  found.rows.forEach((row, target) => row.forEach((weight, source) => {
    if (weight >= LEAST_LINE) line(source, target, { "stroke-width": 0.5 + Math.min(5, size / 4) * weight, "stroke-opacity": 0.15 + 0.85 * weight });
  }));
  for (const link of found.gold) line(...link.split("-").map(Number), { class: "gold", "stroke-width": 1.5 });
  const side = (name, x, anchor) => found[name].forEach((text, place) => made.append(svg("text", {
    x, y: y(place, found[name].length), "dominant-baseline": "central", "text-anchor": anchor, [`data-${name}`]: place, css: { "font-size": `${letters}px` },
    onmouseenter: () => light(name, place) }, text)));
  side("source", left, "end");
  side("target", right, "start");
  return made;
}
