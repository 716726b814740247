/* A training that runs: its curves and the matrix of one sentence, growing. */
import { byId, fixed, html, svg, shade } from "./elements.js";
import { word } from "./basics.js";
import { ask } from "./api.js";

const EVERY = 2000, log = { next: 0, updates: [], validations: [] };

function curve(points, box, name, kind) {
  const xs = points.map(point => point[0]), ys = points.map(point => point[1]).filter(Number.isFinite);
  if (!ys.length) return svg("text", { x: 60, y: 60, class: "faint" }, `${name}: nothing yet`);
  const [left, right] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1)], low = Math.min(0, ...ys), high = Math.max(...ys, low + 1e-6);
  const x = value => 46 + (box.width - 60) * ((value - left) / (right - left)), y = value => box.height - 22 - (box.height - 40) * ((value - low) / (high - low));
  const line = points.filter(point => Number.isFinite(point[1])).map(point => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`).join(" ");
  return svg("g", {}, [
    svg("polyline", { points: line, class: `curve ${kind}` }), points.length < 30 ? points.filter(point => Number.isFinite(point[1])).map(point => svg("circle", { cx: x(point[0]), cy: y(point[1]), r: 3, class: kind })) : null, svg("text", { x: 46, y: 12, class: "label" }, `${name}: ${fixed(ys.at(-1))}`),
    svg("text", { x: 42, y: y(high) + 4, "text-anchor": "end", class: "digits" }, fixed(high, 1)), svg("text", { x: 42, y: y(low), "text-anchor": "end", class: "digits" }, fixed(low, 1)),
    svg("text", { x: box.width - 14, y: box.height - 6, "text-anchor": "end", class: "digits" }, `update ${right}`),
  ]);
}

const thinned = rows => rows.filter((_, i) => rows.length < 400 || i % Math.ceil(rows.length / 400) === 0 || i === rows.length - 1);

function chart(points, name, kind) {
  const box = { width: 420, height: 160 };
  return svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, class: "chart", role: "img", "aria-label": `${name} by update` }, curve(points, box, name, kind));
}

function matrix(found) {
  const rows = found.weights.map((weights, t) => html("tr", {}, html("th", { scope: "row" }, word(found.target[t])), weights.map(weight => html("td", { css: { "--weight": weight }, class: `cell${shade(weight)}` }, fixed(weight)))));
  return html("table", { class: "matrix still" }, html("caption", {}, "The best model so far: ", word(found.text)), html("thead", {}, html("tr", {}, html("td", {}), found.source.map(token => html("th", { scope: "col" }, html("span", {}, word(token)))))), html("tbody", {}, rows));
}

/** Asks every two seconds for what is new, and draws it. */
export async function watchTraining() {
  try {
    const answer = await ask(`/api/training?after=${log.next}`);
    if (answer.next < log.next) Object.assign(log, { updates: [], validations: [] });
    log.next = answer.next;
    log.updates.push(...answer.updates);
    log.validations.push(...answer.validations);
    const metric = log.validations.find(each => each.metric)?.metric;
    byId("training-body").replaceChildren(
      html("p", {}, `${answer.run}: update ${log.updates.at(-1)?.update ?? 0}, epoch ${log.updates.at(-1)?.epoch ?? 0}`),
      html("div", { class: "pair" }, chart(thinned(log.updates).map(each => [each.update, each.loss]), "training loss", "system-a"), metric ? chart(log.validations.map(each => [each.update, each.score]), `${metric} of the validation corpus`, "system-b") : ""),
      answer.matrix ? html("div", { class: "scroll" }, matrix(answer.matrix)) : "",
    );
  } catch (error) {
    byId("training-body").replaceChildren(html("p", { class: "error" }, error.message));
  }
  setTimeout(watchTraining, EVERY);
}
