/* Next words: the likeliest ten of a step; a click forces one. */
import { fixed, html } from "./elements.js";
import { math, word } from "./basics.js";

/** The bars of a step; `force(t, word)` goes on with another word. */
export function wordBars(trace, t, force) {
  const step = trace.steps[t];
  const bars = html("ol", { class: "words" }, step.top.map(({ word: text, p }) => html("li", {}, html("button", {
    type: "button", class: text === step.word ? "chosen" : null, "aria-pressed": text === step.word ? "true" : "false",
    "aria-label": `${text}, p ${fixed(p, 3)}: go on with this word`, onclick: () => force(t, text),
  }, [html("span", { class: "bar plus", css: { "--share": p } }), word(text), html("span", { class: "p" }, p >= 0.0005 ? fixed(p, 3) : "<.001")]))));
  if (step.copied === null) return bars;
  return [html("p", { class: "hint" }, `Copied from the source with probability ${fixed(step.copied)}, taken from the vocabulary with ${fixed(1 - step.copied)} (`, math("p_{gen}"), ")."), bars];
}

/** What has been forced, with a way back. */
export function forcedLine(prefix, free) {
  if (!prefix.length) return null;
  return html("p", { class: "forced" }, "begins with ", prefix.map(token => [word(token, "b"), " "]), html("button", { type: "button", onclick: free }, "free"));
}
