/* Neighbours: the training set's states that are nearest to one of this sentence. */
import { fixed, html } from "./elements.js";
import { word } from "./basics.js";

const sentence = (tokens, place) => html("span", { dir: "auto" }, tokens.filter((token, i) => token !== "</s>" || i === place).map((token, i) => [i === place ? word(token, "mark") : word(token), " "]));

/** What was searched, and the list, nearest first. */
export function neighbourList({ neighbours, states, pairs }, layer) {
  return [
    html("p", { class: "hint" }, `The nearest of ${states} ${{ encoder: "encoder states", state: "decoder states", context: "contexts" }[layer]} of ${pairs} training pairs.`),
    html("ol", { class: "neighbours" }, neighbours.map(each => html("li", {}, [
      html("span", { class: "p" }, fixed(each.cosine, 3)),
      sentence(each.source, layer === "encoder" ? each.place : -1), html("br"),
      sentence(each.target, layer === "encoder" ? -1 : each.place),
    ]))),
  ];
}
