"use strict";
/* The sentences of the page: a table to search and sort, and the alignment of the one that is chosen. */
const data = JSON.parse(document.getElementById("data").textContent);
const END = "</s>", PAGE = 100, DENSE_COLUMNS = 30, STRONG = 0.55, LEAST_LINE = 0.05, LEAST_TOLD = 0.05;
const byId = id => document.getElementById(id);
const state = { rows: [], shown: PAGE, sentence: 0, system: 0, view: 0, kind: "matrix", word: null };

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function svgElement(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const words = text => text.split(/\s+/u).filter(Boolean);
const ofSentence = number => data.sentences[number];
const valueOf = (number, system) => ofSentence(number).outputs[system].value;
const shownValue = value => value === null ? "–" : value.toFixed(1);

/* ---- the table ---- */

const lengths = data.sentences.map(sentence => words(sentence.source).length);
const haystacks = data.sentences.map(sentence =>
  [sentence.source, sentence.reference || "", ...(sentence.further || []), ...sentence.outputs.map(output => output.text)].join("\n").toLowerCase());
const difference = number => valueOf(number, +byId("second").value) - valueOf(number, +byId("first").value);
const ORDERS = {
  "as in the test set": (a, b) => a - b,
  "worst first": (a, b) => valueOf(a, +byId("first").value) - valueOf(b, +byId("first").value),
  "best first": (a, b) => valueOf(b, +byId("first").value) - valueOf(a, +byId("first").value),
  "longest first": (a, b) => lengths[b] - lengths[a],
  "shortest first": (a, b) => lengths[a] - lengths[b],
  "biggest difference first": (a, b) => Math.abs(difference(b)) - Math.abs(difference(a)),
};

function columns() {
  const systems = data.systems.map((name, system) => ({
    title: data.systems.length > 1 ? `${data.valueName}, ${name}` : data.valueName,
    text: number => shownValue(valueOf(number, system)), kind: "number",
    order: "worst first", reverse: "best first", system }));
  const sources = { title: "source", text: number => ofSentence(number).source, kind: "text" };
  const outputs = data.systems.map((name, system) => ({
    title: name, text: number => ofSentence(number).outputs[system].text, kind: "text" }));
  return [{ title: "words", text: number => String(lengths[number]), kind: "number", order: "longest first", reverse: "shortest first" },
    ...systems, sources, ...outputs];
}

function fillTable() {
  const wanted = byId("search").value.trim().toLowerCase().split(/\s+/u).filter(Boolean);
  state.rows = data.sentences.map((_, number) => number).filter(number => wanted.every(word => haystacks[number].includes(word)));
  const order = ORDERS[byId("order").value];
  state.rows.sort((a, b) => order(a, b) || a - b);
  state.shown = PAGE;
  const needsSystem = /worst|best|difference/.test(byId("order").value) && data.systems.length > 1;
  for (const label of document.querySelectorAll(".two")) label.hidden = !needsSystem;
  byId("against").hidden = byId("order").value !== "biggest difference first";
  showRows();
}

function showRows() {
  const shown = state.rows.slice(0, state.shown);
  byId("list").tHead.replaceChildren(headRow());
  byId("list").tBodies[0].replaceChildren(...shown.map(bodyRow));
  byId("more").hidden = shown.length === state.rows.length;
  byId("count").textContent = `${state.rows.length.toLocaleString("en")} of ${data.sentences.length.toLocaleString("en")} sentences`;
}

function headRow() {
  const row = element("tr", {}, element("th", { scope: "col" }, "#"));
  for (const column of columns()) {
    const cell = element("th", { scope: "col" });
    if (column.order === undefined) cell.append(column.title);
    else cell.append(element("button", { type: "button", onclick: () => sortBy(column) }, column.title));
    const isSorted = column.system === undefined || +byId("first").value === column.system;
    if (isSorted && column.order === byId("order").value) cell.ariaSort = column.kind === "number" && column.system === undefined ? "descending" : "ascending";
    if (isSorted && column.reverse !== undefined && column.reverse === byId("order").value) cell.ariaSort = column.system === undefined ? "ascending" : "descending";
    row.append(cell);
  }
  return row;
}

function sortBy(column) {
  const isSame = byId("order").value === column.order && (column.system === undefined || +byId("first").value === column.system);
  byId("order").value = isSame ? column.reverse : column.order;
  if (column.system !== undefined) byId("first").value = column.system;
  fillTable();
}

function bodyRow(number) {
  const choose = element("button", { type: "button", ariaLabel: `Show sentence ${number + 1}` }, String(number + 1));
  const row = element("tr", { onclick: () => chooseSentence(number, true) }, element("td", { className: "number" }, choose));
  row.dataset.number = number;
  row.setAttribute("aria-selected", number === state.sentence);
  for (const column of columns()) row.append(element("td", { className: column.kind }, element("span", { dir: "auto" }, column.text(number))));
  return row;
}

/* ---- one sentence ---- */

function chooseSentence(number, isAsked) {
  state.sentence = number;
  state.word = null;
  for (const row of byId("list").tBodies[0].rows) row.setAttribute("aria-selected", +row.dataset.number === number);
  byId("alignment").hidden = false;
  byId("chosen").textContent = data.sentences.length > 1 ? `Sentence ${number + 1}` : "Alignment";
  const sentence = ofSentence(number);
  const texts = [["source", sentence.source]];
  if (sentence.reference !== undefined) texts.push(["reference", sentence.reference]);
  (sentence.further || []).forEach((text, place) => texts.push([`reference ${place + 2}`, text]));
  sentence.outputs.forEach((output, system) =>
    texts.push([output.value === null ? data.systems[system] : `${data.systems[system]} (${data.valueName} ${shownValue(output.value)})`, output.text]));
  byId("texts").replaceChildren(...texts.flatMap(([title, text]) => [element("dt", {}, title), element("dd", { dir: "auto" }, text)]));
  const place = state.rows.indexOf(number);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place + 1 >= state.rows.length;
  if (!sentence.outputs[state.system].views.length) state.system = Math.max(0, sentence.outputs.findIndex(output => output.views.length));
  byId("system").value = state.system;
  fillViews();
  if (isAsked) {
    byId("chosen").focus({ preventScroll: true });
    byId("alignment").scrollIntoView({ block: "start" });
  }
}

const step = by => chooseSentence(state.rows[state.rows.indexOf(state.sentence) + by], false);
const currentViews = () => ofSentence(state.sentence).outputs[state.system].views;

function fillViews() {
  const views = currentViews();
  const before = byId("view").selectedOptions[0]?.text;
  byId("view").replaceChildren(...views.map((view, place) => element("option", { value: place }, view.label)));
  state.view = Math.max(0, views.findIndex(view => view.label === before));
  byId("view").value = state.view;
  showAlignment();
}

function unpack(view) {
  const levels = new Map([...data.levels].map((character, level) => [character, level]));
  const flat = [];
  const characters = [...view.weights];
  for (let place = 0; place < characters.length; place++) {
    if (characters[place] === data.zeros) flat.push(...Array(levels.get(characters[++place])).fill(0));
    else flat.push(levels.get(characters[place]) / 100);
  }
  const source = [...(view.source || words(ofSentence(state.sentence).source)), END];
  const target = [...(view.target || words(view.text)), END];
  const rows = target.map((_, row) => flat.slice(row * source.length, (row + 1) * source.length));
  const gold = new Set(view.isReference ? (ofSentence(state.sentence).gold || []).map(([i, j]) => `${i}-${j}`) : []);
  return { source, target, rows, gold };
}

function showAlignment() {
  const view = currentViews()[state.view];
  const hasWeights = view !== undefined && view.weights !== undefined;
  byId("gold-switch").hidden = !(hasWeights && view.isReference && ofSentence(state.sentence).gold !== undefined);
  byId("hint").hidden = !hasWeights;
  byId("told").textContent = "";
  if (!hasWeights) {
    byId("words").replaceChildren();
    byId("picture").replaceChildren(view === undefined ? "This system shows no attention here." : "This alignment was left out to keep the page small.");
    return;
  }
  const found = unpack(view);
  if (byId("gold-switch").hidden || !byId("gold").checked) found.gold.clear();
  showWords(found);
  byId("picture").replaceChildren(state.kind === "matrix" ? matrix(found) : lines(found));
}

function showWords(found) {
  const line = (title, side, texts) => {
    const made = element("div", { className: "line", role: "group", ariaLabel: title }, element("b", {}, title));
    texts.forEach((text, place) => {
      const word = element("button", { type: "button", className: "word", tabIndex: place ? -1 : 0, dir: "auto" }, text);
      word.onmouseenter = word.onfocus = () => light(found, side, place);
      word.onkeydown = event => walk(event, word);
      made.append(word);
    });
    return made;
  };
  byId("words").replaceChildren(line("source", "source", found.source), line("target", "target", found.target));
  byId("words").onmouseleave = () => dim(found);
}

function walk(event, word) {
  const siblings = [...word.parentElement.querySelectorAll(".word")];
  const by = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const place = Math.min(siblings.length - 1, Math.max(0, siblings.indexOf(word) + by));
  siblings.forEach((each, number) => { each.tabIndex = number === place ? 0 : -1; });
  siblings[place].focus();
}

const weightBetween = (found, side, place, other) => side === "target" ? found.rows[place][other] : found.rows[other][place];
const goldBetween = (found, side, place, other) => found.gold.has(side === "target" ? `${other}-${place}` : `${place}-${other}`);

function light(found, side, place) {
  dim(found);
  const [sources, targets] = byId("words").querySelectorAll(".line");
  const [own, others] = side === "target" ? [targets, sources] : [sources, targets];
  own.querySelectorAll(".word")[place].classList.add("chosen");
  const told = [];
  others.querySelectorAll(".word").forEach((word, other) => {
    const weight = weightBetween(found, side, place, other);
    word.style.setProperty("--weight", weight);
    word.classList.toggle("strong", weight > STRONG);
    word.classList.toggle("linked", goldBetween(found, side, place, other));
    if (weight >= LEAST_TOLD) told.push([weight, word.textContent]);
  });
  told.sort((a, b) => b[0] - a[0]);
  const list = told.map(([weight, text]) => `${text} ${weight.toFixed(2)}`).join(", ") || "nothing";
  byId("told").textContent = `${found[side][place]} ${side === "target" ? "looks at" : "is looked at by"} ${list}`;
  for (const drawn of byId("picture").querySelectorAll(`[data-${side}]`)) {
    const isOwn = +drawn.dataset[side] === place;
    drawn.classList.toggle("chosen", isOwn && drawn.tagName !== "line" && drawn.tagName !== "TD");
    drawn.classList.toggle("faint", !isOwn && drawn.tagName === "line");
  }
}

function dim(found) {
  for (const word of byId("words").querySelectorAll(".word")) {
    word.style.removeProperty("--weight");
    word.classList.remove("strong", "chosen", "linked");
  }
  for (const drawn of byId("picture").querySelectorAll("[data-source], [data-target]")) drawn.classList.remove("chosen", "faint");
  byId("told").textContent = "";
}

function matrix(found) {
  const head = element("tr", {}, element("td"));
  head.firstChild.setAttribute("style", "background: none; box-shadow: none");
  found.source.forEach((text, place) => {
    const cell = element("th", { scope: "col", title: text, onmouseenter: () => light(found, "source", place) }, element("span", {}, text));
    cell.dataset.source = place;
    head.append(cell);
  });
  const body = element("tbody");
  found.target.forEach((text, row) => {
    const title = element("th", { scope: "row", title: text, dir: "auto", onmouseenter: () => light(found, "target", row) }, text);
    title.dataset.target = row;
    const line = element("tr", {}, title);
    found.rows[row].forEach((weight, column) => line.append(cell(found, weight, row, column)));
    body.append(line);
  });
  const made = element("table", { className: "matrix" + (found.source.length > DENSE_COLUMNS ? " dense" : "") }, element("thead", {}, head), body);
  if (found.gold.size) made.prepend(element("caption", { className: "small" }, "frames: gold links"));
  made.onmouseleave = () => dim(found);
  return made;
}

function cell(found, weight, row, column) {
  const made = element("td", {
    title: `${found.target[row]} – ${found.source[column]}: ${weight.toFixed(2)}`,
    className: (weight > STRONG ? "strong" : "") + (found.gold.has(`${column}-${row}`) ? " gold" : ""),
    onmouseenter: () => light(found, "target", row),
  }, weight ? weight.toFixed(2).replace("0.", ".").replace("1.00", "1") : "");
  made.style.setProperty("--weight", weight);
  return made;
}

function lines(found) {
  const [step, left, right, width] = [26, 250, 470, 720];
  const height = step * Math.max(found.source.length, found.target.length) + 10;
  const made = svgElement("svg", { class: "lines", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "source words on the left, target words on the right; the thicker a line, the more weight" });
  const y = place => step * place + 20;
  const line = (source, target, attributes) => made.append(svgElement("line",
    { x1: left + 8, y1: y(source) - 5, x2: right - 8, y2: y(target) - 5, "data-source": source, "data-target": target, ...attributes }));
  found.rows.forEach((row, target) => row.forEach((weight, source) => {
    if (weight >= LEAST_LINE) line(source, target, { "stroke-width": 0.5 + 5 * weight, "stroke-opacity": 0.15 + 0.85 * weight });
  }));
  for (const link of found.gold) line(...link.split("-").map(Number), { class: "gold", "stroke-width": 1.5 });
  const side = (texts, name, x, anchor) => texts.forEach((text, place) => {
    const word = svgElement("text", { x, y: y(place), "text-anchor": anchor, [`data-${name}`]: place }, text);
    word.onmouseenter = () => light(found, name, place);
    made.append(word);
  });
  side(found.source, "source", left, "end");
  side(found.target, "target", right, "start");
  made.onmouseleave = () => dim(found);
  return made;
}

/* ---- start ---- */

const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function startTheme() {
  const say = () => { byId("theme").textContent = isDark() ? "Light" : "Dark"; };
  byId("theme").hidden = false;
  byId("theme").onclick = () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; say(); };
  say();
}

function start() {
  const hasValues = data.sentences.some(sentence => sentence.outputs.some(output => output.value !== null));
  const orders = Object.keys(ORDERS).filter(order => hasValues || !/worst|best/.test(order)).filter(order => data.systems.length > 1 || !/difference/.test(order));
  byId("order").append(...orders.map(order => element("option", { value: order }, order)));
  for (const id of ["first", "second", "system"]) byId(id).append(...data.systems.map((name, system) => element("option", { value: system }, name)));
  byId("second").value = Math.min(1, data.systems.length - 1);
  byId("system").closest("label").hidden = data.systems.length < 2;
  byId("previous").hidden = byId("next").hidden = data.sentences.length < 2;
  byId("search").oninput = byId("order").onchange = byId("first").onchange = byId("second").onchange = fillTable;
  byId("more").onclick = () => { state.shown += PAGE; showRows(); };
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("system").onchange = event => { state.system = +event.target.value; fillViews(); };
  byId("view").onchange = event => { state.view = +event.target.value; showAlignment(); };
  byId("gold").onchange = showAlignment;
  for (const radio of document.querySelectorAll("[name=kind]")) radio.onchange = () => { state.kind = radio.value; showAlignment(); };
  startTheme();
  fillTable();
  const asked = /^#(\d+)$/.exec(location.hash);
  if (data.sentences.length) chooseSentence(asked && ofSentence(asked[1] - 1) ? asked[1] - 1 : 0, Boolean(asked));
}

/* After the letters that the page brings: Chromium leaves boxes in table cells that were laid out before. */
const started = document.fonts.load('16px "page letters"').then(start);
