/* Numbers of the step: one row a source word; every number opens its formula. */
import { byId, fixed, html } from "./elements.js";
import { math, say, word } from "./basics.js";
import { contextFormula, coverageFormula, isHard, scoreFormula, weightFormula } from "./formula.js";

const SHOWN = 4;

const show = (side, parts) => {
  const place = byId(`formula-${side}`);
  place.replaceChildren(...parts);
  place.hidden = false;
};

function bar(value, most, name, open) {
  const share = Math.min(1, Math.abs(value) / most);
  return html("button", { type: "button", class: "number", "aria-label": `${name}: ${fixed(value, 4)}, show the formula`, onclick: open }, [
    html("span", { class: `bar ${value < 0 ? "minus" : "plus"}`, css: { "--share": share } }),
    html("span", {}, fixed(value)),
  ]);
}

function row(context, j, most) {
  const { side, model, trace, step, body } = context, token = trace.source[j];
  const open = make => async () => {
    try { show(side, await make()); } catch (error) { say(error.message, true); }
  };
  const score = step.scores[j];
  return html("tr", { class: step.weights[j] === Math.max(...step.weights) ? "most" : null }, [
    html("th", { scope: "row" }, word(token), trace.unknown.includes(j) ? html("abbr", { title: "not in the vocabulary: the model sees <unk>" }, "?") : null),
    html("td", { class: "vector state" }, trace.encoder_states[j].slice(0, SHOWN).map(value => html("span", {}, fixed(value)))),
    step.coverage ? html("td", { class: "vector covered" }, html("button", {
      type: "button", class: "number plain", "aria-label": `coverage of ${token}: ${fixed(step.coverage[j][0])}, show the formula`, onclick: open(() => coverageFormula(model, trace, step, j)),
    }, fixed(step.coverage[j][0]))) : null,
    html("td", {}, score === null ? "–" : bar(score, most, `score of ${token}`, open(() => scoreFormula(model, body, step, j)))),
    html("td", {}, bar(step.weights[j], 1, `weight of ${token}`, open(() => weightFormula(model, step, trace.source, j)))),
    isHard(model) ? null : html("td", { class: "vector wide" }, trace.encoder_states[j].slice(0, SHOWN).map(value => html("span", {}, fixed(step.weights[j] * value)))),
  ]);
}

/** The table of a step; `context` is { side, model, trace, step, body }. */
export function numbersTable(context) {
  const { model, trace, step, side } = context;
  if (!step.weights) return html("p", {}, "This model has no attention: c is the encoder's last state, and no source word has a weight.");
  const most = Math.max(1e-6, ...step.scores.map(score => Math.abs(score ?? 0)));
  const sum = (step.context ?? []).slice(0, SHOWN).map((value, n) => html("button", {
    type: "button", class: "number plain", "aria-label": `number ${n + 1} of the context: ${fixed(value)}, show the formula`,
    onclick: () => show(side, contextFormula(step, trace.encoder_states, n)),
  }, fixed(value)));
  const columns = [["j"], ["h_j", "state"], step.coverage ? ["C_{t−1,j}"] : null, ["e_{tj}"], ["α_{tj}"], isHard(model) ? null : ["α_{tj} h_j", "wide"]].filter(Boolean);
  const head = columns.map(([text, name]) => html("th", { scope: "col", class: name ?? null }, math(text)));
  return html("table", { class: step.coverage ? "numbers covers" : "numbers" }, [
    html("caption", {}, "Vectors show their first four numbers. A click on a number shows its formula."),
    html("thead", {}, html("tr", {}, head)),
    html("tbody", {}, trace.source.map((_, j) => row(context, j, most))),
    step.context ? html("tfoot", {}, html("tr", {}, html("th", { scope: "row" }, math("c_t")), html("td", { class: "vector sum", colspan: columns.length - 1 }, sum))) : null,
  ]);
}
