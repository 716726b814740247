/* The matrix, editable: what if it looked there? Drag a cell up or down, or use the row's buttons. */
import { changedWords, fixed, html, shade } from "./elements.js";
import { word } from "./basics.js";
import { state } from "./state.js";

const STEP = 0.1;

/** A row with `weight` at column j, the rest in proportion. */
export function withWeight(weights, j, weight) {
  const value = Math.min(1, Math.max(0, weight)), rest = weights.reduce((sum, each, i) => (i === j ? sum : sum + each), 0);
  const scale = rest > 0 ? (1 - value) / rest : 0, others = weights.length - 1;
  return weights.map((each, i) => Number((i === j ? value : rest > 0 ? each * scale : (1 - value) / others).toFixed(4)));
}

const isDense = trace => trace.source.length > 12;

const onlyAt = (size, j) => Array.from({ length: size }, (_, i) => (i === j ? 1 : 0));

/** Gold links (source, target) of the sentence, where the translation is the known one up to there. */
export function goldOf(trace, example) {
  if (!example || !example.links.length || example.target === "") return [];
  const words = example.target.split(/\s+/);
  let same = 0;
  while (same < trace.steps.length && trace.steps[same].word === words[same]) same++;
  return example.links.filter(([, t]) => t < same);
}

function goldRow(trace, gold, t) {
  const linked = gold.filter(([, target]) => target === t).map(([source]) => source);
  return linked.length ? trace.source.map((_, j) => (linked.includes(j) ? 1 : 0)) : null;
}

/** Makes a cell draggable up and down: 120 pixels are the whole weight. */
function dragging(button, weights, j, change) {
  button.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    const from = event.clientY, start = weights[j];
    let moved = false, value = start;
    button.setPointerCapture(event.pointerId);
    const move = next => {
      if (Math.abs(next.clientY - from) < 6 && !moved) return;
      moved = true;
      value = Math.min(1, Math.max(0, start + (from - next.clientY) / 120));
      button.style.setProperty("--weight", value);
      button.firstChild.textContent = fixed(value);
    };
    const end = () => {
      button.removeEventListener("pointermove", move);
      if (moved) { button.dataset.dragged = "1"; change(withWeight(weights, j, value)); }
    };
    button.addEventListener("pointermove", move);
    button.addEventListener("pointerup", end, { once: true });
    button.addEventListener("pointercancel", () => button.removeEventListener("pointermove", move), { once: true });
  });
}

function cell(context, t, j) {
  const { trace, gold, act, base } = context, step = trace.steps[t], weight = step.weights[j];
  const isGold = gold.some(([source, target]) => source === j && target === t);
  const isHere = state.t === t && state.j === j;
  const button = html("button", {
    type: "button", tabindex: isHere ? 0 : -1, "data-t": t, "data-j": j, css: { "--weight": weight },
    class: `cell${shade(weight)}${isGold ? " gold" : ""}${step.given ? " changed" : ""}`,
    "aria-label": `${step.word} looks at ${trace.source[j]}: ${fixed(weight)}${isGold ? ", gold link" : ""}`,
    onclick: () => { if (button.dataset.dragged) delete button.dataset.dragged; else act.choose(t, j); },
    ondblclick: () => act.give(t, onlyAt(trace.source.length, j)),
    onkeydown: event => keys(event, context, t, j),
  }, html("span", {}, isDense(trace) && weight < 0.005 ? "" : fixed(weight)));
  if (base) dragging(button, step.weights, j, weights => act.give(t, weights));
  return html("td", { role: "gridcell" }, button);
}

function keys(event, context, t, j) {
  const { trace, act } = context, size = trace.source.length, weights = trace.steps[t].weights;
  const moves = { ArrowLeft: [t, j - 1], ArrowRight: [t, j + 1], ArrowUp: [t - 1, j], ArrowDown: [t + 1, j], Home: [t, 0], End: [t, size - 1] };
  const changes = {
    Enter: () => onlyAt(size, j), "+": () => withWeight(weights, j, weights[j] + STEP), "-": () => withWeight(weights, j, weights[j] - STEP),
    e: () => onlyAt(size, -1).map(() => 1), Delete: () => null, Backspace: () => null,
  };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) {
    const [row, column] = moves[event.key];
    if (row >= 0 && row < trace.steps.length && column >= 0 && column < size) act.choose(row, column, true);
  } else if (changes[event.key]) act.give(t, changes[event.key]());
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The table of weights; `context` is { side, trace, base, gold, act }. */
export function matrixTable(context) {
  const { trace, act, side } = context;
  const head = html("tr", { role: "row" }, html("td", {}), trace.source.map((token, j) => html("th", { scope: "col", role: "columnheader", class: j === state.j ? "chosen" : null }, html("span", {}, word(token)))));
  const rows = trace.steps.map((step, t) => html("tr", { role: "row", class: t === state.t ? "chosen" : null }, [
    html("th", { scope: "row", role: "rowheader" }, html("button", { type: "button", class: "row-name", tabindex: -1, onclick: () => act.choose(t, state.j) }, word(step.word))),
    ...trace.source.map((_, j) => cell(context, t, j)),
  ]));
  return html("table", { class: isDense(trace) ? "matrix dense" : "matrix", role: "grid", "aria-label": `attention of model ${side.toUpperCase()}: rows are target words` }, html("thead", { role: "rowgroup" }, head), html("tbody", { role: "rowgroup" }, rows));
}

/** Buttons for the chosen cell and its row. */
export function matrixTools(context) {
  const { trace, gold, act } = context, t = Math.min(state.t, trace.steps.length - 1), j = Math.min(state.j, trace.source.length - 1);
  const step = trace.steps[t], size = trace.source.length, known = goldRow(trace, gold, t);
  const button = (label, title, change, isOff = false) => html("button", { type: "button", title, disabled: isOff, onclick: change }, label);
  const slider = html("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: step.weights[j], "aria-label": `weight of ${trace.source[j]} for ${step.word}`,
    onchange: event => act.give(t, withWeight(step.weights, j, Number(event.target.value))),
  });
  return html("div", { class: "tools" }, [
    html("span", { class: "what" }, word(step.word), " → ", word(trace.source[j])),
    slider,
    button("only here", "All weight on this word (Enter)", () => act.give(t, onlyAt(size, j))),
    button("even", "The same weight for every word (E)", () => act.give(t, onlyAt(size, -1).map(() => 1))),
    button("gold", known ? "The weight of people's links" : "No gold link is known for this word", () => act.give(t, known), !known),
    button("free", "As the model wants (Delete)", () => act.give(t, null), !step.given),
    button("undo", "Take the last change back (Ctrl+Z)", act.undo, !act.canUndo()),
    button("free all", "No change at all", act.reset, !act.isChanged()),
  ]);
}

/** Both translations, changed words marked. */
export function translations(trace, base) {
  const lines = [["as it is", base.target, null]];
  if (trace !== base) lines.push(["changed", trace.target, changedWords(base.target, trace.target)]);
  return html("dl", { class: "translations" }, lines.flatMap(([name, tokens, changed]) => [
    html("dt", {}, name),
    html("dd", { dir: "auto" }, tokens.length ? tokens.map((token, i) => [changed?.[i] ? word(token, "mark") : word(token), " "]) : html("em", {}, "nothing")),
  ]));
}
