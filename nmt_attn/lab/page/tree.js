/* Beam tree: a column a step, a node a candidate; what was pruned and what ended look different. */
import { fixed, svg } from "./elements.js";
import { fittedText, probability, textWidth } from "./basics.js";

const WIDTH = 128, HEIGHT = 30, TOP = 26, LEFT = 74, WORD = "13px", DIGITS = "11px";
const FATES = { kept: "goes on", pruned: "pruned", ended: "ended", cut: "cut at the greatest length", open: "open when the search ended" };

function place(node) {
  return [LEFT + WIDTH * node.step + WIDTH / 2, TOP + HEIGHT * (node.place - 0.5)];
}

function edge(node, byNumber) {
  const [x, y] = place(node), parent = byNumber.get(node.parent);
  const [px, py] = parent ? place(parent) : [LEFT - 26, TOP + HEIGHT / 2];
  const half = parent ? 50 : 24;
  return svg("path", { d: `M${px + half},${py} C${px + half + 16},${py} ${x - 64},${y} ${x - 50},${y}`, class: `edge ${node.fate}${node.best ? " best" : ""}` });
}

/** The words from the root to a node. */
export function pathTo(node, nodes) {
  const byNumber = new Map(nodes.map(each => [each.id, each])), words = [];
  for (let at = node; at; at = byNumber.get(at.parent)) words.unshift(at.word);
  return words;
}

function nodeGroup(node, tree, act) {
  const [x, y] = place(node), isEnd = node.fate === "ended" || node.fate === "cut";
  const described = `${pathTo(node, tree.nodes).join(" ")}: p ${fixed(probability(node.log_prob), 3)}, log p of the whole ${fixed(node.total)}, place ${node.place}, ${FATES[node.fate]}${node.rank === null ? "" : `, rank ${fixed(node.rank)}`}`;
  const total = fixed(node.total, 1);
  return svg("g", {
    class: `node ${node.fate}${node.best ? " best" : ""}`, role: "button", tabindex: node.id === 0 ? 0 : -1, "data-id": node.id, "aria-label": described,
    onclick: () => act.choose(node), onfocus: () => act.show(node, described), onmouseenter: () => act.show(node, described),
    onkeydown: event => keys(event, node, tree, act),
  }, [
    svg("rect", { x: x - 50, y: y - 12, width: 100, height: 24, rx: isEnd ? 12 : 4 }),
    fittedText(node.word, 86 - textWidth(total, DIGITS), WORD, { x: x - 44, y: y + 4, class: "node-word" }),
    svg("text", { x: x + 46, y: y + 4, "text-anchor": "end", class: "digits" }, total),
  ]);
}

function keys(event, node, tree, act) {
  const near = (step, at) => tree.nodes.filter(each => each.step === step).sort((one, other) => Math.abs(one.place - at) - Math.abs(other.place - at))[0];
  const child = tree.nodes.find(each => each.parent === node.id);
  const goals = { ArrowUp: near(node.step, node.place - 1), ArrowDown: near(node.step, node.place + 1), ArrowLeft: tree.nodes.find(each => each.id === node.parent), ArrowRight: child ?? near(node.step + 1, node.place) };
  if (event.key === "Enter" || event.key === " ") act.choose(node);
  else if (event.key in goals) { if (goals[event.key]) act.focus(goals[event.key]); }
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The picture of a tree. */
export function treePicture(tree, act) {
  const steps = Math.max(...tree.nodes.map(node => node.step)) + 1, places = Math.max(...tree.nodes.map(node => node.place));
  const byNumber = new Map(tree.nodes.map(node => [node.id, node]));
  const heads = Array.from({ length: steps }, (_, t) => svg("text", { x: LEFT + WIDTH * (t + 0.5), y: 16, "text-anchor": "middle", class: "faint" }, `t = ${t + 1}`));
  const order = [...tree.nodes].sort((one, other) => Number(one.best) - Number(other.best));
  const width = LEFT + WIDTH * steps;
  return svg("svg", { viewBox: `0 0 ${width} ${TOP + HEIGHT * places + 8}`, class: "tree", css: { width: `${width / 16}rem` }, role: "group", "aria-label": `beam of ${tree.beam}: ${tree.nodes.length} candidates in ${steps} steps` }, [
    ...heads,
    svg("text", { x: LEFT - 50, y: TOP + HEIGHT / 2 + 4, "text-anchor": "middle", class: "faint" }, "<s>"),
    ...order.map(node => edge(node, byNumber)),
    ...tree.nodes.map(node => nodeGroup(node, tree, act)),
  ]);
}
