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

/** Says something to everybody, by the status line that screen readers read out. */
export function say(text, isError = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("error", isError);
}

/** A word as it is shown in the writing direction of its letters. */
export const word = (text, tag = "bdi") => html(tag, { class: "word" }, text);

/** How dark the ground of a weight is, as a class: its letters keep a contrast of 4.5 in both themes. */
export const shade = weight => (weight > 0.81 ? " strong" : weight > 0.64 ? " middle" : "");
