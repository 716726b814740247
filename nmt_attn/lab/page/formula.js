/* Formulas: each paper's steps in its own order, and a number's formula with the numbers put in. */
import { fixed, html } from "./elements.js";
import { math } from "./basics.js";
import { ask } from "./api.js";

const SCORES = {
  "additive": "e_{tj} = v_a · tanh(W_a Q + U_a h_j)",
  "normed-additive": "e_{tj} = g v/|v| · tanh(W_a Q + U_a h_j + b)",
  "dot": "e_{tj} = Q · h_j",
  "scaled-dot": "e_{tj} = Q · h_j / √H",
  "general": "e_{tj} = Q · W_a h_j",
  "scaled-general": "e_{tj} = g (Q · W_a h_j)",
  "concat": "e_{tj} = v_a · tanh(W_a [Q ; h_j])",
  "location": "e_{tj} = (W_a Q)_j",
};
const QUERIES = { bahdanau: "s_{t−1}", conditional: "s′_t", luong: "s_t" };

/** What asks: the top layer's state, or the bottom one's where the context enters every layer. */
export const queryOf = model => model.deep_context ? QUERIES[model.style].replace("s_", "s¹_") : QUERIES[model.style];

/** e_tj of a model: its score, with the coverage inside the tanh where it has one. */
function scoreLine(model) {
  const plain = (SCORES[model.score] ?? "no attention").replaceAll("Q", queryOf(model));
  return model.coverage && model.coverage !== "none" ? plain.replace(/\)$/, " + V C_{t−1,j})") : plain;
}

/** What is added to the coverage of a position in a step. */
const COVERAGES = {
  sum: "C_{tj} = C_{t−1,j} + α_{tj}",
  linguistic: "C_{tj} = C_{t−1,j} + α_{tj} / Φ_j",
  neural: "C_{tj} = GRU(C_{t−1,j} ; α_{tj}, h_j, Q)",
};

/** What a context gate z makes of the attentional state, with S and T of source and target side. */
const GATES = {
  source: " A gate takes its place: tanh(T + z · S), with S of it and T of word and state.",
  target: " A gate takes its place: tanh(z · T + S), with S of it and T of word and state.",
  both: " A gate takes its place: tanh((1 − z) · T + z · S), with S of it and T of word and state.",
};

/** Hard attention: a weight is the probability that this is the position. */
export const isHard = model => (model.alignment ?? "soft") !== "soft";
const priorOf = model => model.alignment === "hard" ? "α_{tj} = exp(e_{tj}) / Σ_k exp(e_{tk})" : "α_{tj} = Σ_i p(a_{t−1} = i | y_1 … y_{t−1}) p(a_t = j | a_{t−1} = i)";

/** How scores become weights: the formula, the name in words, and τ from a score and its weight. */
const NORMALISERS = {
  "softmax": { formula: "α_{tj} = exp(e_{tj}) / Σ_k exp(e_{tk})", says: "Softmax" },
  "sparsemax": { formula: "α_{tj} = max(e_{tj} − τ, 0)", says: "Sparsemax", tau: (e, weight) => e - weight, inner: e => fixed(e), power: "" },
  "entmax-1.5": { formula: "α_{tj} = max(e_{tj}/2 − τ, 0)²", says: "Entmax", tau: (e, weight) => e / 2 - Math.sqrt(weight), inner: e => `${fixed(e)}/2`, power: "²" },
};
const normaliserOf = model => NORMALISERS[model.normalise] ?? { formula: `α_{tj} = ${model.normalise}_j(e_{tj})`, says: model.normalise };

/** The six micro-steps of a model: { name, formula, says }. */
export function stagesOf(model) {
  if (isHard(model)) return hardStages(model);
  const { formula, says } = normaliserOf(model), output = model.output ?? "softmax";
  const weights = model.window === "local-p" ? `α_{tj} = ${model.normalise}_j(e_{tj}) · exp(−(j − p_t)²/2σ²)` : formula;
  const look = [
    { name: "scores", formula: scoreLine(model), says: model.coverage && model.coverage !== "none" ? "Each source word gets a score, which sees what the word was given before." : "Each source word gets a score." },
    { name: "weights", formula: weights, says: model.window === "local-p" ? `${says} inside the window, then the Gaussian round p_t.` : `${says} turns scores into weights that sum to 1${model.normalise === "softmax" ? "" : ", many of them 0"}.` },
    { name: "context", formula: "c_t = Σ_j α_{tj} h_j", says: "The weighted sum of the encoder's states." },
  ];
  const upwards = model.deep_context ? " It enters the layers above too." : "";
  look[2].says += upwards;
  if (model.style === "luong") return [
    { name: "state", formula: `${queryOf(model)} = f(s_{t−1}, y_{t−1}, h̃_{t−1})`, says: model.deep_context ? "The bottom layer moves first, then looks." : "Luong moves first: the new state comes before the look." },
    ...look,
    model.attentional_state === false ? { name: "attentional state", formula: "h̃_t = s_t", says: "The state is read as it is." }
      : { name: "attentional state", formula: "h̃_t = tanh(W_c [c_t ; s_t])", says: `Context and state become one vector.${GATES[model.context_gate] ?? ""}` },
    { name: "word", formula: `p(y_t) = ${output}(W_s h̃_t)`, says: "The next word is read off it." },
  ];
  const first = model.style === "conditional"
    ? { name: "query", formula: "s′_t = f_1(s_{t−1}, y_{t−1})", says: "Half a step first: s′ asks." }
    : { name: "query", formula: `q_t = ${queryOf(model)}`, says: "Bahdanau looks first, with the state that it has." };
  return [
    first,
    ...look,
    { name: "state", formula: model.style === "conditional" ? "s_t = f_2(s′_t, c_t)" : "s_t = f(s_{t−1}, y_{t−1}, c_t)", says: "Now it moves, and the context comes in." },
    model.readout?.startsWith("state") ? { name: "word", formula: `p(y_t) = ${output}(W_o r(s_t))`, says: "The next word is read off the state." }
      : { name: "word", formula: `p(y_t) = ${output}(W_o r(s_t, y_{t−1}, c_t))`, says: "The next word is read off state, last word and context." },
  ];
}

/** Hard attention sums over words, not over states. */
function hardStages(model) {
  const jumps = model.alignment === "hard" ? "" : " The look before says where it may go.";
  return [
    { name: "state", formula: "s_t = f(s_{t−1}, y_{t−1})", says: "No context comes in: the state knows of no look." },
    { name: "scores", formula: scoreLine(model), says: "Each source word gets a score." },
    { name: "weights", formula: priorOf(model), says: `The probability that this is the position.${jumps}` },
    { name: "positions", formula: "h̃_{tj} = tanh(W_c [h_j ; s_t])", says: "No sum of states: each position stays by itself." },
    { name: "words", formula: "p(y | a_t = j) = softmax(W_s h̃_{tj})", says: "Each position says what it would write." },
    { name: "word", formula: "p(y_t) = Σ_j α_{tj} p(y_t | a_t = j)", says: "The sum over all positions that it may have looked at." },
  ];
}

const line = (...parts) => html("p", { class: "formula" }, parts.map(part => typeof part === "string" ? math(part) : part));
const bracketed = value => (value < 0 ? `(${fixed(value)})` : fixed(value));

/** α_tj with the numbers put in. */
export function weightFormula(model, step, source, j) {
  if (step.given) return [line(`α_{tj} = ${fixed(step.weights[j])}, as you set it; the model's own is ${fixed(step.own_weights[j])}.`)];
  const seen = step.scores.filter(score => score !== null);
  if (step.scores[j] === null) return [line(`α_{tj} = 0: ${source[j]} is outside the window.`)];
  const terms = seen.slice(0, 8).map(score => `exp(${fixed(score)})`).join(" + ") + (seen.length > 8 ? ` + … (${seen.length} terms)` : "");
  if (isHard(model) && model.alignment !== "hard") return [line(priorOf(model)), line(`= ${fixed(step.weights[j], 4)}`)];
  const { formula, tau, inner, power } = normaliserOf(model), lines = [line(formula)];
  if (model.normalise === "softmax") lines.push(line(`= exp(${fixed(step.scores[j])}) / (${terms}) = ${fixed(step.softmax[j], 4)}`));
  else if (tau) {
    const some = step.softmax.findIndex(weight => weight > 0), value = some < 0 ? 0 : tau(step.scores[some], step.softmax[some]);
    lines.push(line(`= max(${inner(step.scores[j])} − ${bracketed(value)}, 0)${power} = ${fixed(step.softmax[j], 4)}`));
  }
  if (step.gaussian) lines.push(line(`· exp(−(j − p_t)²/2σ²), j = ${j + 1}, p_t = ${fixed(step.centre)}: · ${fixed(step.gaussian[j], 4)} = ${fixed(step.weights[j], 4)}`));
  return lines;
}

/** C_{t-1,j}, which the score saw, and what the step makes of it. */
export function coverageFormula(model, trace, step, j) {
  const before = step.coverage[j], after = step.coverage_after[j], given = trace.steps.slice(0, step.t).map(each => fixed(each.weights[j]));
  const lines = [line(COVERAGES[model.coverage].replace("Q", queryOf(model)))];
  if (model.coverage === "sum") lines.push(line(`C_{t−1,j} = ${given.join(" + ") || "0"}${given.length > 1 ? ` = ${fixed(before[0])}` : ""}: what ${trace.source[j]} was given before`));
  if (model.coverage === "linguistic" && step.weights[j] > 0.005) lines.push(line(`Φ_j = ${fixed(step.weights[j] / (after[0] - before[0]))}, the words that ${trace.source[j]} becomes`));
  if (before.length > 1) lines.push(line(`the first ${before.length} numbers: ${before.map(value => fixed(value)).join(", ")}; after this step ${after.map(value => fixed(value)).join(", ")}`));
  else lines.push(line(`after this step: ${fixed(before[0])} → ${fixed(after[0])}`));
  return lines;
}

/** The first number of c_t with the numbers put in. */
export function contextFormula(step, states, n) {
  const terms = states.map((state, j) => [step.weights[j], state[n], j]).filter(term => term[0] >= 0.005);
  return [
    line("c_t = Σ_j α_{tj} h_j"),
    line(`number ${n + 1}: ${terms.map(([weight, value]) => `${fixed(weight)} × ${bracketed(value)}`).join(" + ")}${terms.length < states.length ? " + smaller ones" : ""} = ${fixed(step.context[n])}`),
  ];
}

/** e_tj with the largest of its terms; the server has them all. */
export async function scoreFormula(model, body, step, j) {
  const formula = line(scoreLine(model));
  if (step.scores[j] === null) return [formula, line("Outside the window: no score is taken.")];
  const answer = await ask("/api/formula", { ...body, step: step.t, position: j });
  if (!answer.terms.length) return [formula, line(`= ${fixed(step.scores[j], 4)}`)];
  const isTanh = !["dot", "scaled-dot", "general", "scaled-general"].includes(model.score);
  const products = answer.terms.map(([v, inside, last]) => ({ v, inside, last, value: isTanh ? v * last : inside * last }));
  const sorted = [...products].sort((one, other) => Math.abs(other.value) - Math.abs(one.value));
  const shown = sorted.slice(0, 5), rest = sorted.slice(5).reduce((sum, term) => sum + term.value, 0);
  const text = shown.map(term => isTanh ? `${fixed(term.v)} tanh(${fixed(term.inside)})` : `${bracketed(term.inside)} × ${bracketed(term.last)}`).join(" + ");
  return [formula, line(`the largest of ${products.length} terms: ${text} + the others ${bracketed(rest)} = ${fixed(products.reduce((sum, term) => sum + term.value, 0), 3)}`),
    ...(model.score.startsWith("scaled") ? [line(`after scaling: ${fixed(step.scores[j], 3)}`)] : [])];
}
