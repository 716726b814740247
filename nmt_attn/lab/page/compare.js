/* Compare: two models step by step, what one looks at more than the other, and how sharp each look is. */
import { fixed, html, svg, shade } from "./elements.js";
import { word } from "./basics.js";
import { state } from "./state.js";

/** Whether both models read the same tokens. */
export const areComparable = (a, b) => a.source.length === b.source.length && a.source.every((token, j) => token === b.source[j]);

function cell(a, b, t, j, isGold) {
  const [one, other] = [a, b].map(trace => trace.steps[t]?.weights?.[j] ?? 0), difference = one - other;
  return html("td", {
    class: `difference ${difference < 0 ? "more-b" : "more-a"}${shade(Math.abs(difference))}${isGold ? " gold" : ""}`, css: { "--weight": Math.abs(difference) },
    title: `A ${fixed(one)}, B ${fixed(other)}${isGold ? ", gold link" : ""}`,
  }, Math.abs(difference) < 0.005 ? "" : `${difference > 0 ? "+" : ""}${fixed(difference)}`);
}

/** A minus B, a row a step; gold links (source, target) are framed. */
export function differenceTable(a, b, gold) {
  const rows = Array.from({ length: Math.max(a.steps.length, b.steps.length) }, (_, t) => html("tr", { class: t === state.t ? "chosen" : null }, [
    html("th", { scope: "row" }, word(a.steps[t]?.word ?? "–"), " | ", word(b.steps[t]?.word ?? "–")),
    ...a.source.map((_, j) => cell(a, b, t, j, gold.some(([source, target]) => source === j && target === t))),
  ]));
  const head = html("tr", {}, html("th", { scope: "col" }, "A | B"), a.source.map(token => html("th", { scope: "col" }, html("span", {}, word(token)))));
  return html("table", { class: a.source.length > 9 ? "matrix still dense" : "matrix still" }, html("caption", {}, gold.length ? "Weight of A less weight of B; gold links are framed." : "Weight of A less weight of B."), html("thead", {}, head), html("tbody", {}, rows));
}

/** Entropy of each look, A beside B; 0 is one word alone, log S all alike. */
export function entropyPicture(a, b) {
  const steps = Math.max(a.steps.length, b.steps.length), most = Math.log(Math.max(2, a.source.length)), width = 46 * steps + 70;
  const bars = Array.from({ length: steps }, (_, t) => [a, b].map((trace, i) => {
    const value = trace.steps[t]?.entropy ?? null;
    if (value === null) return null;
    const height = (80 * value) / most, x = 54 + 46 * t + 19 * i;
    return svg("g", {}, [
      svg("rect", { x, y: 100 - height, width: 16, height: Math.max(1, height), class: i ? "system-b" : "system-a" }),
      svg("text", { x: x + 8, y: 96 - height, "text-anchor": "middle", class: "digits" }, fixed(value, 1)),
    ]);
  }));
  const labels = Array.from({ length: steps }, (_, t) => svg("text", { x: 72 + 46 * t, y: 116, "text-anchor": "middle", class: "faint" }, `t = ${t + 1}`));
  return svg("svg", { viewBox: `0 0 ${width} 124`, class: "entropy", role: "img", "aria-label": "entropy of the weights of each step, A and B" }, [
    svg("line", { x1: 48, x2: width - 10, y1: 100, y2: 100, class: "rule" }), svg("line", { x1: 48, x2: width - 10, y1: 20, y2: 20, class: "rule dashed" }),
    svg("text", { x: 44, y: 24, "text-anchor": "end", class: "faint" }, "log S"), svg("text", { x: 44, y: 104, "text-anchor": "end", class: "faint" }, "0"),
    ...bars.flat(), ...labels,
  ]);
}
