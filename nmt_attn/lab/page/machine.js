/* The machine: one step, drawn in the paper's own order. Nothing is shown before its micro-step has come. */
import { fixed, html, svg } from "./elements.js";
import { fittedText, math, svgMath, probability } from "./basics.js";
import { isHard, stagesOf, queryOf } from "./formula.js";

const LEFT = 96, CELL = 68, NARROW = 46, BOX = 40, STRIP = 8, LABEL = "14px", OUTPUT = "600 22px";
const NARROWEST = 470, LEGIBLE = 0.85, PHONE = 0.7;
const ROW = { word: 16, encoder: 30, coverage: 84, score: 128, weight: 212, context: 268, decoder: 330, output: 420 };

/** Which micro-step each part of the drawing belongs to. */
const STAGE = {
  bahdanau: { query: 0, scores: 1, weights: 2, context: 3, state: 4, attentional: 9, word: 5 },
  conditional: { query: 0, scores: 1, weights: 2, context: 3, state: 4, attentional: 9, word: 5 },
  luong: { state: 0, query: 0, scores: 1, weights: 2, context: 3, attentional: 4, word: 5 },
  hard: { state: 0, query: 0, scores: 1, weights: 2, context: 3, attentional: 4, word: 5 },
};

function strip(x, y, width, values, attributes = {}) {
  const top = Math.max(0.5, ...values.map(value => Math.abs(value)));
  return svg("g", attributes, values.map((value, i) => svg("rect", {
    x: x + (i * width) / values.length, y, width: width / values.length - 0.6, height: STRIP,
    class: value < 0 ? "negative" : "positive", "fill-opacity": 0.12 + (0.88 * Math.abs(value)) / top,
  })));
}

const arrow = (path, stage, attributes = {}) => svg("path", { d: path, class: "arrow", "data-stage": stage, "marker-end": "url(#head)", ...attributes });

function encoder(trace, x, cell) {
  return trace.source.map((token, j) => svg("g", {}, [
    fittedText(token, cell - 6, LABEL, { x: x(j), y: ROW.word, "text-anchor": "middle", class: trace.unknown.includes(j) ? "label unknown" : "label" }),
    svg("rect", { x: x(j) - BOX / 2, y: ROW.encoder, width: BOX, height: BOX - 8, rx: 5, class: "cell-box" }),
    svgMath(`h_${j + 1 > 9 ? `{${j + 1}}` : j + 1}`, { x: x(j), y: ROW.encoder + 14, "text-anchor": "middle", class: "symbol" }),
    strip(x(j) - BOX / 2 + 4, ROW.encoder + 20, BOX - 8, trace.encoder_states[j]),
  ]));
}

/** What each position was given before this step: a bar where it is one number. */
function coverage(step, x) {
  const most = Math.max(1, ...step.coverage.map(numbers => numbers[0]));
  return step.coverage.map((numbers, j) => {
    if (numbers.length > 1) return strip(x(j) - 16, ROW.coverage - STRIP, 32, numbers);
    const height = (18 * numbers[0]) / most;
    return svg("rect", { x: x(j) - 9, y: ROW.coverage - height, width: 18, height: Math.max(0.8, height), class: "coverage" }, svg("title", {}, `coverage ${fixed(numbers[0])}`));
  });
}

function scores(step, x, stage) {
  const most = Math.max(1, ...step.scores.map(score => Math.abs(score ?? 0)));
  return svg("g", { "data-stage": stage }, step.scores.map((score, j) => {
    if (score === null) return svg("text", { x: x(j), y: ROW.score + 4, "text-anchor": "middle", class: "faint" }, "–");
    const height = (26 * Math.abs(score)) / most;
    return svg("g", {}, [
      svg("rect", { x: x(j) - 9, y: score < 0 ? ROW.score : ROW.score - height, width: 18, height: Math.max(1, height), class: score < 0 ? "negative" : "positive" }),
      svg("text", { x: x(j), y: score < 0 ? ROW.score - 5 : ROW.score + 14, "text-anchor": "middle", class: "digits" }, fixed(score, 1)),
    ]);
  }), svg("line", { x1: x(0) - 24, x2: x(step.scores.length - 1) + 24, y1: ROW.score, y2: ROW.score, class: "rule" }));
}

function weights(step, x, stage, model) {
  const bars = step.weights.map((weight, j) => svg("g", {}, [
    svg("rect", { x: x(j) - 14, y: ROW.weight - 44 * weight, width: 28, height: Math.max(0.8, 44 * weight), class: step.given ? "weight changed" : "weight" }),
    svg("text", { x: x(j), y: ROW.weight + 13, "text-anchor": "middle", class: weight >= 0.1 ? "digits strong" : "digits" }, fixed(weight)),
  ]));
  const group = [svg("line", { x1: x(0) - 24, x2: x(step.weights.length - 1) + 24, y1: ROW.weight, y2: ROW.weight, class: "rule" }), ...bars];
  if (step.centre !== null && step.centre !== undefined) group.push(window_(step, x, model));
  return svg("g", { "data-stage": stage }, group);
}

function window_(step, x, model) {
  const at = position => x(position - 1), sigma = model.sigma, last = step.weights.length;
  const middle = model.position === "nmt.matlab" ? Math.floor(step.centre) : step.centre;
  const from = Math.max(0.5, middle - model.half_width), to = Math.min(last + 0.5, middle + model.half_width);
  const points = Array.from({ length: 61 }, (_, i) => 0.5 + (i * last) / 60).map(p => `${at(p).toFixed(1)},${(ROW.weight - 48 * Math.exp(-0.5 * ((p - step.centre) / sigma) ** 2)).toFixed(1)}`);
  return svg("g", { class: "window" }, [
    svg("rect", { x: at(from), y: ROW.weight - 50, width: Math.max(0, at(to) - at(from)), height: 50, class: "reach" }),
    step.gaussian ? svg("polyline", { points: points.join(" "), class: "gaussian" }) : null,
    svg("line", { x1: at(step.centre), x2: at(step.centre), y1: ROW.weight - 52, y2: ROW.weight + 2, class: "centre" }),
    svgMath(`p_t = ${fixed(step.centre)}`, { x: at(step.centre), y: ROW.weight - 56, "text-anchor": "middle", class: "digits strong" }),
  ]);
}

function box(x, y, symbol, values, attributes = {}) {
  return svg("g", attributes, [
    svg("rect", { x: x - 30, y, width: 60, height: 36, rx: 6, class: "cell-box" }),
    svgMath(symbol, { x, y: y + 15, "text-anchor": "middle", class: "symbol" }),
    strip(x - 25, y + 23, 50, values),
  ]);
}

function looks(step, x, middle, stage) {
  return svg("g", { "data-stage": stage }, step.weights.map((weight, j) => weight < 0.004 ? null : svg("path", {
    d: `M${x(j)},${ROW.weight + 18} C${x(j)},${ROW.weight + 42} ${middle},${ROW.context - 34} ${middle},${ROW.context - 15}`,
    class: step.given ? "look changed" : "look", "stroke-width": 0.6 + 9 * weight, "stroke-opacity": 0.25 + 0.75 * weight,
  })));
}

function decoder(trace, step, place, style) {
  const hard = Boolean(step.weights) && !step.context, stage = STAGE[hard ? "hard" : style], { before, after, out, middle } = place, top = ROW.decoder, mid = top + 18, parts = [];
  const isLuong = style === "luong", n = step.t + 1;
  const sub = number => (number > 9 ? `{${number}}` : number);
  parts.push(box(before, top, `s_${sub(step.t)}`, step.previous_state));
  parts.push(box(after, top, `s_${sub(n)}`, step.state, { "data-stage": stage.state }));
  parts.push(fittedText(step.previous, 2 * before - 12, LABEL, { x: before, y: top + 56, "text-anchor": "middle", class: "label" }));
  parts.push(svg("text", { x: before, y: top + 71, "text-anchor": "middle", class: "faint" }, "last word"));
  parts.push(arrow(`M${before + 30},${mid} L${after - 33},${mid}`, stage.state));
  parts.push(arrow(`M${before + 12},${top + 47} C${(before + after) / 2},${top + 48} ${after - 50},${top + 40} ${after - 33},${top + 28}`, stage.state));
  if (step.weights) {
    const asking = isLuong ? after : before;
    const far = place.edge + 24;
    parts.push(arrow(isLuong
      ? `M${after},${top} C${after},${top - 44} ${far},${top - 20} ${far},${ROW.context} L${far},${ROW.score + 34} Q${far},${ROW.score} ${place.edge},${ROW.score}`
      : `M${before - 30},${mid} C${LEFT - 84},${mid} ${LEFT - 90},${ROW.score} ${LEFT + 4},${ROW.score}`, stage.query, { class: "arrow query" }));
    parts.push(svg("g", { "data-stage": stage.context }, [svg("circle", { cx: middle, cy: ROW.context, r: 15, class: "context" }), svgMath(hard ? "h̃_{tj}" : `c_${sub(n)}`, { x: middle, y: ROW.context + 4, "text-anchor": "middle", class: "symbol on-dark" })]));
  }
  if (hard) {
    parts.push(arrow(`M${after + 4},${top} C${after + 4},${top - 30} ${middle - 40},${ROW.context + 10} ${middle - 17},${ROW.context + 4}`, stage.context));
    parts.push(arrow(`M${middle + 13},${ROW.context + 8} C${middle + 60},${ROW.context + 40} ${out},${top} ${out},${ROW.output - 20}`, stage.attentional));
  } else if (isLuong) {
    parts.push(box(out, top, `h̃_${sub(n)}`, step.attentional_state, { "data-stage": stage.attentional }));
    parts.push(arrow(`M${after + 30},${mid} L${out - 33},${mid}`, stage.attentional));
    if (step.weights) parts.push(arrow(`M${middle + 13},${ROW.context + 8} C${middle + 40},${ROW.context + 40} ${out - 20},${top - 40} ${out - 6},${top - 3}`, stage.attentional));
  } else if (step.weights) {
    parts.push(arrow(`M${middle},${ROW.context + 15} C${middle},${top - 20} ${after},${top - 30} ${after},${top - 3}`, stage.state));
  }
  if (!hard) parts.push(arrow(isLuong ? `M${out},${top + 36} L${out},${ROW.output - 19}` : `M${after + 30},${mid} L${out - 4},${mid} L${out - 4},${ROW.output - 20}`, stage.word));
  parts.push(fittedText(step.word, 2 * (place.width - out) - 8, OUTPUT, { x: out, y: ROW.output, "text-anchor": "middle", class: "output", "data-stage": stage.word }));
  parts.push(svg("text", { x: out, y: ROW.output + 16, "text-anchor": "middle", class: "digits", "data-stage": stage.word }, `p = ${fixed(probability(step.log_prob))}`));
  return parts;
}

/** The picture of a step. */
export function machinePicture(model, trace, t, id) {
  const step = trace.steps[t], size = trace.source.length, style = model.style, stage = STAGE[isHard(model) ? "hard" : style];
  const cell = Math.max(NARROW, Math.min(CELL, (NARROWEST - LEFT - 34) / size)), x = j => LEFT + cell * (j + 0.5);
  const edge = LEFT + cell * size, width = Math.max(edge + 34, NARROWEST);
  const looked = step.weights ? step.weights.reduce((sum, weight, j) => sum + weight * x(j), 0) / Math.max(1e-9, step.weights.reduce((sum, weight) => sum + weight, 0)) : x(size / 2);
  const place = { before: 74, after: Math.min(width - 190, 230), out: Math.min(width - 56, 380), middle: Math.min(width - 150, Math.max(160, looked)), edge, width };
  const label = (text, y, each) => svgMath(text, { x: 6, y, class: "symbol faint", "data-stage": each });
  const parts = [
    svg("defs", {}, svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 11, markerHeight: 11, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, svg("path", { d: "M0,0 L8,4 L0,8 z", class: "head" }))),
    ...encoder(trace, x, cell),
    label("h_j", ROW.encoder + 20), label("s", ROW.decoder + 22),
  ];
  if (step.weights) parts.push(
    label("e_{tj}", ROW.score - 10, stage.scores), label("α_{tj}", ROW.weight - 4, stage.weights), isHard(model) ? null : label("c_t", ROW.context + 4, stage.context),
    scores(step, x, stage.scores), weights(step, x, stage.weights, model), looks(step, x, place.middle, stage.context),
  );
  if (step.coverage) parts.push(label("C_{t−1,j}", ROW.coverage - 2, 0), ...coverage(step, x));
  parts.push(...decoder(trace, step, place, style));
  const query = queryOf(model);
  return svg("svg", {
    viewBox: `0 0 ${width} ${ROW.output + 26}`, class: "machine", role: "img", id, "data-look": looked / width, css: { "min-width": `${((width > NARROWEST ? LEGIBLE : PHONE) * width) / 16}rem` },
    "aria-label": `${model.name}, step ${t + 1}: ${query} looks at ${looksAt(trace, step)}; the next word is ${step.word}`,
  }, parts);
}

/** `lights .98, off .02`. */
export function looksAt(trace, step, most = 2) {
  if (!step.weights) return "nothing: this model has no attention";
  const order = step.weights.map((weight, j) => [weight, trace.source[j]]).sort((one, other) => other[0] - one[0]);
  return order.slice(0, most).filter(([weight]) => weight >= 0.005).map(([weight, token]) => `${token} ${fixed(weight)}`).join(", ") || "nothing";
}

/** Shows what has come by micro-step `m` and marks what comes in it. */
export function lightUp(picture, m) {
  for (const part of picture.querySelectorAll("[data-stage]")) {
    const stage = Number(part.dataset.stage);
    part.classList.toggle("to-come", stage > m);
    part.classList.toggle("now", stage === m);
  }
}

/** The line under the machine: all micro-steps in order, this one marked. */
export function stageList(model, m, choose) {
  return html("ol", { class: "stages" }, stagesOf(model).map((stage, i) => html("li", {}, html("button", {
    type: "button", class: i === m ? "chosen" : null, "aria-current": i === m ? "step" : null, onclick: () => choose(i),
  }, stage.name))));
}

/** What this micro-step is, in one line. */
export const stageLine = (model, m) => html("p", { class: "stage-line" }, math(stagesOf(model)[m].formula), html("span", {}, ` ${stagesOf(model)[m].says}`));
