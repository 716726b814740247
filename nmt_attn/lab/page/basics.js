/* Elements, numbers and formulas: what every panel needs. */

export const byId = id => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "css") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
  return node;
}

/** An HTML element; texts become text nodes, never markup. */
export const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** A number with `digits` decimals; what a window hides is a dash. */
export const fixed = (value, digits = 2) =>
  value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");

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

/** Words of `after` that are not in the longest common part with `before`, as true. */
export function changedWords(before, after) {
  const best = Array.from({ length: before.length + 1 }, () => new Array(after.length + 1).fill(0));
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      best[i][j] = before[i] === after[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  const changed = new Array(after.length).fill(true);
  for (let i = 0, j = 0; i < before.length && j < after.length;) {
    if (before[i] === after[j]) { changed[j] = false; i++; j++; } else if (best[i + 1][j] >= best[i][j + 1]) i++; else j++;
  }
  return changed;
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
