/* The page: asks for what the state wants and draws every panel. */
import { byId, fixed, html } from "./elements.js";
import { probability, say, word } from "./basics.js";
import { canUndo, EMPTY_SIDE, keepState, readState, remember, session, SIDES, state, undo } from "./state.js";
import { ask, frozenText, isFrozen, takeToken } from "./api.js";
import { copyButtons, copyText, download, matrixPicture } from "./copy.js";
import { stagesOf } from "./formula.js";
import { lightUp, looksAt, machinePicture, stageLine, stageList } from "./machine.js";
import { numbersTable } from "./numbers.js";
import { goldOf, matrixTable, matrixTools, translations } from "./matrix.js";
import { forcedLine, wordBars } from "./words.js";
import { pathTo, treePicture } from "./tree.js";
import { areComparable, differenceTable, entropyPicture } from "./compare.js";
import { neighbourList } from "./neighbours.js";
import { watchTraining } from "./training.js";

const MICRO = 6, PLAY_MS = 900;
let asked = 0, playing = null, seen = null;

const modelOf = side => session.models.find(model => model.name === state[side].model) ?? null;
const exampleOf = () => session.examples.find(example => example.source === state.s) ?? null;
const shownSides = () => SIDES.filter(side => session[side]);
const isChanged = side => state[side].prefix.length > 0 || Object.keys(state[side].given).length > 0;
const lastStep = () => Math.max(0, ...shownSides().map(side => (session[side].trace?.steps.length ?? 1) - 1));
const stepOf = side => Math.min(state.t, (session[side].trace?.steps.length ?? 1) - 1);

function bodyOf(side, { base = false } = {}) {
  const { model, prefix, given } = state[side];
  return { beam: state.k, given: base ? {} : given, model, prefix: base ? [] : prefix, text: state.s };
}

async function answerOf(side) {
  if (!modelOf(side)) return null;
  try {
    const steps = body => ask("/api/steps", { ...body, vectors: 4 });
    const base = await steps(bodyOf(side, { base: true }));
    const trace = isChanged(side) ? await steps(bodyOf(side)) : base;
    let tree = null, treeError = null;
    try { tree = await ask("/api/beam", bodyOf(side)); } catch (error) { treeError = error.message; }
    return { base, trace, tree, treeError };
  } catch (error) {
    return { error: error.message };
  }
}

/** Asks for the state and draws it; an answer that comes too late is not shown. */
async function refresh() {
  const mine = ++asked;
  keepState();
  document.body.setAttribute("aria-busy", "true");
  const found = await Promise.all(SIDES.map(answerOf));
  if (mine !== asked) return;
  SIDES.forEach((side, i) => { session[side] = found[i]; });
  state.t = Math.min(state.t, lastStep());
  document.body.removeAttribute("aria-busy");
  draw();
  const failed = found.find(each => each?.error);
  if (failed) say(failed.error, true); else tell();
}

function tell() {
  say(shownSides().map(side => {
    const { trace } = session[side], step = trace.steps[stepOf(side)], model = modelOf(side);
    const wanted = isChanged(side) ? " (changed)" : "";
    return `${side.toUpperCase()} ${model.name}${wanted}: ${trace.text || "nothing"}. Step ${step.t + 1} of ${trace.steps.length}, ${stagesOf(model)[state.m].name}: ${step.word} looks at ${looksAt(trace, step)}`;
  }).join(" | "));
}

function go(t, m = state.m) {
  state.t = Math.min(lastStep(), Math.max(0, t));
  state.m = m;
  keepState();
  draw();
  tell();
}

function micro(by) {
  const next = state.m + by;
  if (next >= MICRO) { if (state.t < lastStep()) go(state.t + 1, 0); else stop(); } else if (next < 0) { if (state.t > 0) go(state.t - 1, MICRO - 1); } else go(state.t, next);
}

function stop() {
  clearInterval(playing);
  playing = null;
  byId("play").setAttribute("aria-pressed", "false");
  byId("play").textContent = "Play";
}

function play() {
  if (playing !== null) { stop(); return; }
  if (state.t === lastStep() && state.m === MICRO - 1) go(0, 0);
  playing = setInterval(() => micro(1), PLAY_MS);
  byId("play").setAttribute("aria-pressed", "true");
  byId("play").textContent = "Pause";
}

function change(side, edit) {
  remember();
  edit(state[side]);
  refresh();
}

function takeBack() {
  if (undo()) refresh(); else say("Nothing to take back");
}

const forceWord = side => (t, text) => change(side, each => { each.prefix = [...session[side].trace.steps.slice(0, t).map(step => step.word), text]; state.t = t; });

function actions(side) {
  return {
    choose: (t, j, isKey = false) => {
      Object.assign(state, { t, j });
      keepState(); draw(); tell();
      byId("matrix").querySelector(`[data-side="${side}"] [data-t="${t}"][data-j="${j}"]`)?.focus({ preventScroll: !isKey });
    },
    give: (t, weights) => change(side, each => {
      const given = { ...each.given };
      if (weights) given[t] = weights; else delete given[t];
      each.given = given;
      state.t = t;
    }),
    undo: takeBack,
    canUndo,
    reset: () => change(side, each => { Object.assign(each, { prefix: [], given: {} }); }),
    isChanged: () => isChanged(side),
  };
}

/* Panels: each gives the parts of one side. */

const PANELS = {
  machine(side, { trace }) {
    const model = modelOf(side), picture = machinePicture(model, trace, stepOf(side), `machine-${side}`);
    lightUp(picture, state.m);
    return [
      stageList(model, state.m, m => go(state.t, m)),
      stageLine(model, state.m), html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `machine of model ${side.toUpperCase()}` }, picture),
      html("div", { class: "panel-foot" }, copyButtons(`machine-${side}`, () => byId(`machine-${side}`))),
    ];
  },
  matrix(side, { trace, base }) {
    if (!trace.steps[0].weights) return [translations(trace, base), html("p", {}, "This model has no attention to change.")];
    const gold = goldOf(trace, exampleOf()), context = { side, trace, base, gold, act: actions(side) };
    const data = () => ({ rows: trace.steps.map(step => step.word), columns: trace.source, weights: trace.steps.map(step => step.weights), gold });
    return [
      translations(trace, base), matrixTools(context),
      html("div", { class: "scroll", role: "region", "aria-label": `matrix of model ${side.toUpperCase()}` }, matrixTable(context)),
      html("div", { class: "panel-foot" }, gold.length ? html("span", { class: "legend-gold" }, "framed: people's links") : null, copyButtons(`attention-${side}`, () => matrixPicture(data()), data)),
    ];
  },
  words(side, { trace }) {
    return [forcedLine(state[side].prefix, () => change(side, each => { each.prefix = []; })), wordBars(trace, stepOf(side), forceWord(side))];
  },
  numbers(side, { trace }) {
    const step = trace.steps[stepOf(side)];
    return [
      html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `numbers of model ${side.toUpperCase()}` }, numbersTable({ side, model: modelOf(side), trace, step, body: bodyOf(side) })),
      html("div", { class: "formula-box", id: `formula-${side}`, "aria-live": "polite", hidden: true }),
    ];
  },
  tree(side, { tree, treeError }) {
    if (!tree) return [html("p", {}, treeError)];
    const id = `tree-${side}`, told = html("p", { class: "told", "aria-live": "polite" }, html("span", {}, "Choose a node to see where it looks."));
    const show = (node, text) => told.replaceChildren(html("span", {}, `${text}. Looks at `), node.weights.map((weight, j) => ({ weight, token: tree.source[j] })).sort((one, other) => other.weight - one.weight).slice(0, 3).filter(each => each.weight >= 0.005).map(({ weight, token }) => [word(token, "b"), ` ${fixed(weight)} `]).reduce((all, each) => { all.append(...each); return all; }, html("span", {})));
    const focus = node => { const target = byId(id).querySelector(`[data-id="${node.id}"]`); byId(id).querySelectorAll("[tabindex='0']").forEach(each => each.setAttribute("tabindex", -1)); target.setAttribute("tabindex", 0); target.focus(); };
    const picture = treePicture(tree, { show, focus, choose: node => change(side, each => { each.prefix = pathTo(node, tree.nodes); state.t = node.step; }) });
    picture.id = id;
    const list = html("ol", { class: "hypotheses" }, tree.hypotheses.map(each => html("li", {}, word(each.text || "(nothing)"), html("span", { class: "p" }, ` log p ${fixed(each.log_prob)}, rank ${fixed(each.rank)}, p ${fixed(probability(each.log_prob), 3)}`))));
    return [html("div", { class: "scroll" }, picture), told, html("details", {}, html("summary", {}, "The translations, best first"), list), html("div", { class: "panel-foot" }, legend(), copyButtons(`beam-${side}`, () => byId(id)))];
  },
  neighbours(side, { trace }) {
    if (!modelOf(side).neighbours) return [html("p", {}, isFrozen ? "This saved page has no neighbours of this model." : ["This model has no index yet: ", html("code", {}, "nmt-attn index RUN"), " makes one of its training set; then start the lab again."])];
    const place = html("div", {}), t = stepOf(side), j = Math.min(state.j, trace.source.length - 1);
    const look = (layer, at) => async () => {
      try { place.replaceChildren(...neighbourList(await ask("/api/neighbours", { ...bodyOf(side), layer, place: at, count: 10 }), layer)); } catch (error) { say(error.message, true); }
    };
    const button = (layer, at, ...parts) => html("button", { type: "button", onclick: look(layer, at) }, parts);
    return [html("div", { class: "tools" }, [
      button("encoder", j, "encoder state of ", word(trace.source[j])), button("state", t, "decoder state of ", word(trace.steps[t].word)), button("context", t, "context of ", word(trace.steps[t].word)),
    ]), place];
  },
};

const legend = () => html("span", { class: "legend" }, ["kept", "pruned", "ended", "best"].map(name => html("span", { class: `key ${name}` }, { kept: "goes on", pruned: "pruned", ended: "ended", best: "the translation" }[name])));

function draw() {
  const focused = document.activeElement?.closest?.("#steps, #bar") ? null : document.activeElement?.getAttribute?.("aria-label");
  for (const container of document.querySelectorAll("[data-panel]")) {
    const scrolled = new Map([...container.querySelectorAll("[data-side] .scroll")].map(each => [each.closest("[data-side]").dataset.side, each.scrollLeft]));
    container.replaceChildren(...shownSides().map(side => {
      const found = session[side], name = `${side.toUpperCase()} · ${modelOf(side).name}`;
      const parts = found.error ? [html("p", { class: "error" }, found.error)] : PANELS[container.dataset.panel](side, found);
      return html("div", { class: `side ${side === state.side ? "" : "other"}`, "data-side": side, role: "group", "aria-label": name }, html("h3", {}, html("b", { class: `tag system-${side}` }, side.toUpperCase()), ` ${modelOf(side).name} `, html("small", {}, describe(modelOf(side)))), parts);
    }));
    for (const each of container.querySelectorAll("[data-side] .scroll")) each.scrollLeft = scrolled.get(each.closest("[data-side]").dataset.side) ?? 0;
    if (container.dataset.panel === "machine" && seen !== state.t) for (const each of container.querySelectorAll(".machine")) {
      const frame = each.parentElement;  // where it is too wide, what is looked at comes into sight
      frame.scrollLeft = Number(each.dataset.look) * frame.scrollWidth - frame.clientWidth / 2;
    }
    container.classList.toggle("single", shownSides().length < 2);
  }
  seen = state.t;
  drawCompare();
  byId("where").replaceChildren(`step ${state.t + 1} of ${lastStep() + 1}, micro-step ${state.m + 1} of ${MICRO}`);
  byId("which").hidden = shownSides().length < 2;
  for (const input of document.querySelectorAll("[name=which]")) input.checked = input.value === state.side;
  if (focused) [...document.querySelectorAll("[aria-label]")].find(each => each.getAttribute("aria-label") === focused)?.focus({ preventScroll: true });
}

const PLAIN = ["none", "soft", "softmax", "global"];
const describe = model => `${model.style}, ${model.score}${[model.window, model.coverage, model.normalise, model.alignment, model.copying].filter(name => name && !PLAIN.includes(name)).map(name => `, ${name}`).join("")}, ${model.cell}, ${(model.parameters / 1e6).toFixed(2)} M parameters`;

function drawCompare() {
  const [a, b] = SIDES.map(side => session[side]?.trace), isBoth = a && b;
  byId("compare").hidden = !isBoth;
  if (!isBoth) return;
  if (!areComparable(a, b)) { byId("compare-body").replaceChildren(html("p", {}, "The two models cut this sentence into different tokens: there is no difference of matrices.")); return; }
  const steps = Array.from({ length: Math.max(a.steps.length, b.steps.length) }, (_, t) => [a.steps[t], b.steps[t]]);
  const data = () => ({ rows: steps.map(pair => pair.map(step => step?.word ?? "–").join(" | ")), columns: a.source, weights: steps.map(([one, other]) => a.source.map((_, j) => (one?.weights?.[j] ?? 0) - (other?.weights?.[j] ?? 0))) });
  const gold = [a, b].flatMap(trace => goldOf(trace, exampleOf()));
  const picture = entropyPicture(a, b);
  picture.id = "entropy";
  byId("compare-body").replaceChildren(html("div", { class: "pair" },
    html("div", {}, a.steps[0].weights && b.steps[0].weights ? html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "difference of the matrices" }, differenceTable(a, b, gold)) : html("p", {}, "One of the models has no attention.")),
    html("div", {}, html("p", { class: "hint" }, "Entropy of each look in nats: 0 looks at one word, log S at all alike. A sharp look is not a right one."), html("div", { class: "scroll" }, picture), html("div", { class: "panel-foot" }, html("span", { class: "key system-a" }, "A"), html("span", { class: "key system-b" }, "B"), copyButtons("entropy", () => byId("entropy")))),
  ), html("div", { class: "panel-foot" }, html("button", { type: "button", onclick: () => copyCsv(data()) }, "Difference as CSV")));
}

const copyCsv = ({ rows, columns, weights }) => copyText([["", ...columns], ...rows.map((row, t) => [row, ...weights[t].map(value => value.toFixed(4))])].map(line => line.map(each => `"${String(each).replaceAll('"', '""')}"`).join(",")).join("\n"), "difference.csv", "text/csv");

/* The bar and the buttons. */

function option(model) {
  return html("option", { value: model.name }, `${model.name} (${model.style}, ${model.score}${model.window === "global" ? "" : `, ${model.window}`})`);
}

function fillBar() {
  byId("model-a").replaceChildren(...session.models.map(option));
  byId("model-b").replaceChildren(html("option", { value: "" }, "none"), ...session.models.map(option));
  byId("examples").append(...session.examples.map(example => html("option", { value: example.source }, example.source.length > 60 ? `${example.source.slice(0, 58)}…` : example.source)));
  showBar();
}

function showBar() {
  byId("text").value = state.s;
  byId("beam").value = state.k;
  for (const side of SIDES) byId(`model-${side}`).value = state[side].model;
  byId("examples").value = exampleOf() ? state.s : "";
  document.documentElement.classList.toggle("projector", state.projector);
  byId("projector").setAttribute("aria-pressed", String(state.projector));
}

function submit() {
  const text = byId("text").value.trim(), k = Math.round(Number(byId("beam").value));
  if (!text) { say("Type a sentence first", true); return; }
  if (!(k >= 1 && k <= 10)) { say("Beam: a number from 1 to 10", true); return; }
  const isNew = text !== state.s;
  for (const side of SIDES) {
    const model = byId(`model-${side}`).value;
    state[side] = isNew || model !== state[side].model ? { ...EMPTY_SIDE(), model } : state[side];
  }
  if (isNew) Object.assign(state, { t: 0, m: MICRO - 1, j: 0 });
  Object.assign(state, { s: text, k });
  showBar();
  refresh();
}

function pageKeys(event) {
  const target = event.target;
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && target.tagName !== "INPUT") { takeBack(); event.preventDefault(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, [role=grid], .tree, .scroll[tabindex]:focus")) return;
  if (event.key === " " && target.closest("button, a, summary")) return;
  const acts = {
    " ": () => micro(1), ArrowRight: () => (event.shiftKey ? go(state.t + 1) : micro(1)), ArrowLeft: () => (event.shiftKey ? go(state.t - 1) : micro(-1)),
    p: play, P: play,
  };
  if (!acts[event.key] || !shownSides().length) return;
  event.preventDefault();
  acts[event.key]();
}

function listen() {
  byId("bar").addEventListener("submit", event => { event.preventDefault(); submit(); });
  byId("examples").addEventListener("change", event => { if (event.target.value) { byId("text").value = event.target.value; submit(); } });
  for (const id of ["model-a", "model-b", "beam"]) byId(id).addEventListener("change", submit);
  byId("micro-next").addEventListener("click", () => micro(1));
  byId("micro-back").addEventListener("click", () => micro(-1));
  byId("step-next").addEventListener("click", () => go(state.t + 1));
  byId("step-back").addEventListener("click", () => go(state.t - 1));
  byId("play").addEventListener("click", play);
  byId("projector").addEventListener("click", () => { state.projector = !state.projector; keepState(); showBar(); });
  byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  byId("link").addEventListener("click", () => copyText(location.href, "link.txt"));
  byId("save").addEventListener("click", async () => { try { download("attention.html", await frozenText(), "text/html"); say("Saved: attention.html"); } catch (error) { say(error.message, true); } });
  for (const input of document.querySelectorAll("[name=which]")) input.addEventListener("change", () => { state.side = input.value; keepState(); draw(); });
  document.addEventListener("keydown", pageKeys);
  addEventListener("hashchange", () => { readState(location.hash); showBar(); refresh(); });
}

const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}

async function start() {
  takeToken();
  listen();
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  if (isFrozen) byId("save").hidden = true;
  try {
    const answer = await ask("/api/models");
    Object.assign(session, { models: answer.models, examples: answer.examples });
    const fields = readState(location.hash), names = answer.models.map(model => model.name);
    if (!names.includes(state.a.model)) state.a.model = names[0];
    if (!fields.has("b") && names.length > 1) state.b.model = names[1];
    if (state.b.model && !names.includes(state.b.model)) state.b.model = "";
    if (!state.s) state.s = answer.examples[0]?.source ?? "";
    fillBar();
    if (answer.training) { byId("training").hidden = false; watchTraining(); }
    if (state.s) await refresh(); else say("Type a sentence in the source language.");
  } catch (error) { say(error.message, true); }
  document.documentElement.dataset.ready = "1";
}

start();
