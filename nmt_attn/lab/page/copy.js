/* Copy as: SVG with real text, PNG, TikZ, CSV, link, and the page as a file. */
import { fixed, html, svg, shade } from "./elements.js";
import { say, textWidth } from "./basics.js";

/** Saves a file by the browser's own download. */
export function download(name, content, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** Copies a text, or saves it where the clipboard is closed. */
export async function copyText(text, name, type = "text/plain") {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${name}`);
  } catch {
    download(name, text, type);
    say(`Saved: ${name}`);
  }
}

const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity", "fill-opacity", "stroke-opacity", "font-size", "font-weight", "font-family", "font-style", "text-anchor", "display", "visibility"];

/** A picture's source with its styles written into it. */
export function svgText(picture) {
  const clone = picture.cloneNode(true);
  const pairs = [[picture, clone], ...[...picture.querySelectorAll("*")].map((each, i) => [each, clone.querySelectorAll("*")[i]])];
  for (const [original, copy] of pairs) {
    const style = getComputedStyle(original);
    for (const name of DRAWN) copy.setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "style", "tabindex", "role", "aria-label", "data-stage"]) copy.removeAttribute(name);
  }
  const box = picture.viewBox.baseVal;
  clone.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  clone.setAttribute("width", box.width);
  clone.setAttribute("height", box.height);
  const ground = svg("rect", { x: box.x, y: box.y, width: box.width, height: box.height, fill: getComputedStyle(document.body).backgroundColor });
  clone.prepend(ground);
  return new XMLSerializer().serializeToString(clone);
}

async function savePng(picture, name) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(picture))}`;
  await image.decode();
  const canvas = html("canvas", { width: 2 * image.width, height: 2 * image.height });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob(blob => { download(`${name}.png`, blob, "image/png"); say(`Saved: ${name}.png`); });
}

/** A matrix as a picture: { rows, columns, weights, gold }. */
export function matrixPicture({ rows, columns, weights, gold = [] }) {
  const cell = 34, [left, top] = [rows, columns].map(texts => 14 + Math.max(...texts.map(text => textWidth(text, "14px"))));
  const width = left + cell * columns.length + 10, height = top + cell * rows.length + 10;
  const parts = columns.map((text, j) => svg("text", { x: left + cell * (j + 0.5), y: top - 6, transform: `rotate(-90 ${left + cell * (j + 0.5)} ${top - 6})`, "dominant-baseline": "central", class: "label" }, text));
  rows.forEach((text, t) => {
    parts.push(svg("text", { x: left - 6, y: top + cell * (t + 0.5), "text-anchor": "end", "dominant-baseline": "central", class: "label" }, text));
    weights[t].forEach((weight, j) => {
      parts.push(svg("rect", { x: left + cell * j, y: top + cell * t, width: cell - 1, height: cell - 1, class: "cell", "fill-opacity": weight }));
      parts.push(svg("text", { x: left + cell * (j + 0.5), y: top + cell * (t + 0.5), "text-anchor": "middle", "dominant-baseline": "central", class: `digits${shade(weight)}` }, fixed(weight)));
    });
  });
  for (const [j, t] of gold) parts.push(svg("rect", { x: left + cell * j + 1, y: top + cell * t + 1, width: cell - 3, height: cell - 3, class: "gold" }));
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "exported" }, parts);
}

const tex = text => text.replace(/[\\{}$&#^_%~]/g, letter => ({ "\\": "\\textbackslash{}", "^": "\\^{}", "~": "\\~{}" })[letter] ?? `\\${letter}`);

/** A matrix as TikZ: one node a cell, words around it. */
export function matrixTikz({ rows, columns, weights, gold = [] }) {
  const lines = ["% xelatex or lualatex, with a font that has the letters", "\\begin{tikzpicture}[x=6mm,y=-6mm]"];
  columns.forEach((text, j) => lines.push(`  \\node[rotate=90,anchor=west] at (${j},-0.6) {${tex(text)}};`));
  rows.forEach((text, t) => {
    lines.push(`  \\node[anchor=east] at (-0.6,${t}) {${tex(text)}};`);
    weights[t].forEach((weight, j) => lines.push(`  \\fill[blue!${Math.round(100 * weight)}!white] (${j - 0.48},${t - 0.48}) rectangle (${j + 0.48},${t + 0.48}); % ${weight.toFixed(4)}`));
  });
  for (const [j, t] of gold) lines.push(`  \\draw[orange,thick] (${j - 0.46},${t - 0.46}) rectangle (${j + 0.46},${t + 0.46});`);
  return [...lines, "\\end{tikzpicture}", ""].join("\n");
}

/** A matrix as CSV, words in the first row and column. */
export function matrixCsv({ rows, columns, weights }) {
  const quoted = text => `"${String(text).replaceAll('"', '""')}"`;
  return [["", ...columns].map(quoted).join(","), ...rows.map((row, t) => [quoted(row), ...weights[t]].join(",")), ""].join("\n");
}

/** Buttons for one figure. `picture` gives its SVG; `matrix`, if it is one, its numbers. */
export function copyButtons(name, picture, matrix) {
  const button = (label, act) => html("button", { type: "button", "aria-label": `${name}: copy as ${label}`, onclick: act }, label);
  const shown = draw => {
    const figure = picture();
    if (!figure.isConnected) { document.body.append(figure); figure.classList.add("offscreen"); }
    try { return draw(figure); } finally { if (figure.classList.contains("offscreen")) figure.remove(); }
  };
  const buttons = [
    button("SVG", () => shown(figure => copyText(svgText(figure), `${name}.svg`, "image/svg+xml"))),
    button("PNG", () => shown(figure => savePng(figure, name))),
  ];
  if (matrix) buttons.push(
    button("TikZ", () => copyText(matrixTikz(matrix()), `${name}.tex`)),
    button("CSV", () => copyText(matrixCsv(matrix()), `${name}.csv`, "text/csv")),
  );
  return html("span", { class: "copy", role: "group", "aria-label": `${name}: copy as` }, buttons);
}
