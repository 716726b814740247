/* Requests, formulas and words: what every panel needs beside elements.js, which the report shares. */

import { byId, html, svg } from "./elements.js";

/** exp of a log-probability. */
export const probability = logProb => (logProb === null ? 0 : Math.exp(logProb));

/** What a request is called, in the order that the server's files use too. */
export function requestKey(path, body) {
  const sorted = value => Array.isArray(value) ? value.map(sorted)
    : value && typeof value === "object" ? Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])]))
    : value;
  return body === undefined ? path : `${path} ${JSON.stringify(sorted(body))}`;
}

/** `e_{tj} = s_t` as parts [text, is below the line]. */
export function mathParts(text) {
  return text.split(/(_\{[^}]*\}|_[^\s{}])/).filter(part => part !== "").map(part =>
    part.startsWith("_") ? [part.replace(/^_\{?|\}$/g, ""), true] : [part, false]);
}

/** A formula in a line of text. */
export const math = text =>
  html("span", { class: "math" }, mathParts(text).map(([part, isBelow]) => isBelow ? html("sub", {}, part) : part));

/** The same inside a picture. */
export function svgMath(text, attributes = {}) {
  let isLow = false;
  const parts = mathParts(text).map(([part, isBelow]) => {
    const shift = isBelow === isLow ? 0 : isBelow ? 4 : -4;
    isLow = isBelow;
    return svg("tspan", { dy: shift || null, class: isBelow ? "below" : null }, part);
  });
  return svg("text", attributes, parts);
}

const LEAST_SHRINK = 0.7;
let ruler = null;

/** How wide a text is in a font such as "600 22px", the family being the page's. */
export function textWidth(text, font) {
  ruler ??= html("canvas").getContext("2d");
  ruler.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

/** A text in a picture that is `room` wide at most: made narrower where it must be, then cut after a whole letter. */
export function fittedText(text, room, font, attributes = {}) {
  if (textWidth(text, font) <= room) return svg("text", attributes, text);
  const letters = [...new Intl.Segmenter().segment(text)].map(each => each.segment);
  let shown = text;
  while (letters.length > 1 && textWidth(shown, font) * LEAST_SHRINK > room) { letters.pop(); shown = `${letters.join("")}…`; }
  const narrower = { textLength: Math.min(room, textWidth(shown, font)), lengthAdjust: "spacingAndGlyphs" };
  return svg("text", { ...attributes, ...narrower }, shown, shown === text ? null : svg("title", {}, text));
}

/** Says something to everybody, by the status line that screen readers read out. */
export function say(text, isError = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("error", isError);
}

/** A word as it is shown in the writing direction of its letters. */
export const word = (text, tag = "bdi") => html(tag, { class: "word" }, text);

/** How dark the ground of a weight is, as a class: its letters keep a contrast of 4.5 in both themes. */
export const shade = weight => (weight > 0.81 ? " strong" : weight > 0.64 ? " middle" : "");
