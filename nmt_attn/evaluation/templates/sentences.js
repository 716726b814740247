/* The list of sentences: searched, sorted, chosen from. */

const data = JSON.parse(byId("data").textContent);
const PAGE = 100;
const state = { rows: [], shown: PAGE, sentence: null, system: 0, view: 0, kind: null, zoom: null, label: null };

const words = text => text.split(/\s+/u).filter(Boolean);
const ofSentence = number => data.sentences[number];
const valueOf = (number, system) => ofSentence(number).outputs[system].value;
const shownValue = value => fixed(value, 1);

const lengths = data.sentences.map(sentence => words(sentence.source).length);
const haystacks = data.sentences.map(sentence =>
  [sentence.source, sentence.reference || "", ...(sentence.further || []), ...sentence.outputs.map(output => output.text)].join("\n").toLowerCase());
const wantedWords = () => words(byId("search").value.toLowerCase());
const difference = number => valueOf(number, +byId("second").value) - valueOf(number, +byId("first").value);
const ORDERS = {
  "as in the test set": (a, b) => a - b,
  "worst first": (a, b) => valueOf(a, +byId("first").value) - valueOf(b, +byId("first").value),
  "best first": (a, b) => valueOf(b, +byId("first").value) - valueOf(a, +byId("first").value),
  "longest first": (a, b) => lengths[b] - lengths[a],
  "shortest first": (a, b) => lengths[a] - lengths[b],
  "biggest difference first": (a, b) => Math.abs(difference(b)) - Math.abs(difference(a)),
};

/** A text whose words that differ from `other`, and what was searched for, are marked. */
function marked(text, other = null) {
  const tokens = words(text), changed = other === null ? [] : changedWords(words(other), tokens);
  const shown = tokens.map((token, place) => changed[place] ? html("mark", { class: "changed" }, hits(token)) : hits(token));
  return shown.flatMap((token, place) => place ? [" ", token] : [token]);
}

function hits(text) {
  const wanted = wantedWords().sort((a, b) => b.length - a.length).map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!wanted.length) return [text];
  return text.split(new RegExp(`(${wanted.join("|")})`, "giu")).map((part, place) => place % 2 ? html("mark", { class: "hit" }, part) : part);
}

function columns() {
  const several = data.systems.length > 1;
  const values = data.systems.map((name, system) => ({
    title: several ? `${data.valueName}, ${name}` : data.valueName,
    content: number => shownValue(valueOf(number, system)), kind: "number",
    order: "worst first", reverse: "best first", isRising: true, system }));
  const outputs = data.systems.map((name, system) => ({
    title: name, content: number => marked(ofSentence(number).outputs[system].text, ofSentence(number).reference ?? null), kind: "text" }));
  return [{ title: "words", content: number => String(lengths[number]), kind: "number", order: "longest first", reverse: "shortest first", isRising: false },
    ...values, { title: "source", content: number => marked(ofSentence(number).source), kind: "text" }, ...outputs];
}

function fillTable() {
  const wanted = wantedWords(), order = ORDERS[byId("order").value];
  state.rows = data.sentences.map((_, number) => number).filter(number => wanted.every(word => haystacks[number].includes(word)));
  state.rows.sort((a, b) => order(a, b) || a - b);
  state.shown = PAGE;
  const needsSystem = /worst|best|difference/.test(byId("order").value) && data.systems.length > 1;
  for (const label of document.querySelectorAll(".two")) label.hidden = !needsSystem;
  byId("against").hidden = byId("order").value !== "biggest difference first";
  markSorted();
  showRows();
  if (!state.rows.length) hideSentence();
  else showSentence(state.rows.includes(state.sentence) ? state.sentence : state.rows[0]);
}

function showRows() {
  const shown = state.rows.slice(0, state.shown), found = columns();
  byId("list").tBodies[0].replaceChildren(...shown.map((number, place) => bodyRow(number, place, found)));
  byId("more").hidden = shown.length === state.rows.length;
  const count = `${state.rows.length.toLocaleString("en")} of ${data.sentences.length.toLocaleString("en")} sentences`;
  byId("count").textContent = state.rows.length ? count : `${count}: none has all of the words`;
}

/** Made once: a button that sorts keeps the focus. */
function makeHead() {
  const row = html("tr", { role: "row" }, html("th", { scope: "col", role: "columnheader" }, "#"));
  for (const column of columns()) {
    const title = column.order === undefined ? column.title : html("button", { type: "button", onclick: () => sortBy(column) }, column.title);
    row.append(html("th", { scope: "col", role: "columnheader", class: column.kind === "number" ? "number" : null }, title));
  }
  byId("list").tHead.replaceChildren(row);
}

function markSorted() {
  const order = byId("order").value;
  columns().forEach((column, place) => {
    const isHere = column.order !== undefined && (column.system === undefined || +byId("first").value === column.system);
    const sorted = isHere && order === column.order ? column.isRising : isHere && order === column.reverse ? !column.isRising : null;
    byId("list").tHead.rows[0].cells[place + 1].ariaSort = sorted === null ? null : sorted ? "ascending" : "descending";
  });
}

function sortBy(column) {
  const isSame = byId("order").value === column.order && (column.system === undefined || +byId("first").value === column.system);
  byId("order").value = isSame ? column.reverse : column.order;
  if (column.system !== undefined) byId("first").value = column.system;
  fillTable();
}

function bodyRow(number, place, found) {
  const choose = html("button", { type: "button", "aria-label": `sentence ${number + 1}`, tabindex: place ? -1 : 0 }, String(number + 1));
  return html("tr", { role: "row", "data-number": number, "aria-current": number === state.sentence ? "true" : null, onclick: () => chooseSentence(number) },
    html("td", { class: "number", role: "cell" }, choose),
    found.map(column => html("td", { class: column.kind, role: "cell", "data-title": column.title }, html("span", { dir: "auto" }, column.content(number)))));
}

/** Arrow keys among buttons of which only one is a tab stop. */
function walk(event, buttons, keys) {
  const place = buttons.indexOf(document.activeElement), by = keys[event.key];
  if (by === undefined || place < 0) return;
  event.preventDefault();
  const next = Math.min(buttons.length - 1, Math.max(0, place + by));
  buttons.forEach((button, number) => { button.tabIndex = number === next ? 0 : -1; });
  buttons[next].focus();
}

const walkList = event => walk(event, [...byId("list").tBodies[0].querySelectorAll("button")], { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity });
