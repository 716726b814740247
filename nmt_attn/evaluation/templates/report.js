/* What is chosen, what the address says of it, and the start. */

/** The address: `#12` is sentence 12, `#12.2.1` with the first translation of the second system. */
function remember(isNew) {
  const place = `${state.system + 1}.${state.view + 1}`;
  const wanted = `#${state.sentence + 1}${place === "1.1" ? "" : `.${place}`}`;
  if (location.hash !== wanted) history[isNew ? "pushState" : "replaceState"](null, "", wanted);
}

function restore() {
  const [number, system, view] = (/^#(\d+)(?:\.(\d+)\.(\d+))?$/.exec(location.hash) || []).slice(1).map(text => Number(text ?? 1) - 1);
  const output = ofSentence(number)?.outputs[system];
  if (output === undefined) return false;
  Object.assign(state, { system, view: output.views[view] ? view : 0 });
  showSentence(number, { isAddressed: true });
  return true;
}

/** By a click or a key: the address says so, and the focus goes to it. */
function chooseSentence(number) {
  showSentence(number);
  remember(true);
  byId("chosen").focus({ preventScroll: true });
  byId("alignment").scrollIntoView({ block: "start" });
}

const step = by => { showSentence(state.rows[state.rows.indexOf(state.sentence) + by]); remember(true); };

function showSentence(number, { isAddressed = false } = {}) {
  const isOther = number !== state.sentence, outputs = ofSentence(number).outputs;
  state.sentence = number;
  if (!isAddressed && isOther) {
    const label = state.label;
    const place = outputs[state.system].views.findIndex(view => view.label === label);
    state.view = Math.max(0, place);
  }
  if (!outputs[state.system].views.length) Object.assign(state, { system: Math.max(0, outputs.findIndex(output => output.views.length)), view: 0 });
  for (const row of byId("list").tBodies[0].rows) row.ariaCurrent = +row.dataset.number === number ? "true" : null;
  byId("alignment").hidden = false;
  byId("chosen").textContent = data.sentences.length > 1 ? `Sentence ${number + 1}` : "Alignment";
  const place = state.rows.indexOf(number);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place + 1 >= state.rows.length;
  showAlignment();
}

function hideSentence() {
  state.sentence = null;
  byId("alignment").hidden = true;
}

/* ---- start ---- */

const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function startTheme() {
  const sayTheme = () => { byId("theme").textContent = isDark() ? "Light" : "Dark"; };
  byId("theme").hidden = false;
  byId("theme").onclick = () => { document.documentElement.dataset.theme = isDark() ? "light" : "dark"; sayTheme(); };
  sayTheme();
}

function startPicture() {
  const redraw = changes => () => { Object.assign(state, changes); if (state.sentence !== null && !byId("seen").hidden) drawPicture(); };
  const zoomed = by => () => redraw({ zoom: Math.min(CELLS.most, Math.max(CELLS.least, Math.round(by * shownCell()))) })();
  const shownCell = () => parseFloat(byId("picture").querySelector(".matrix")?.style.getPropertyValue("--cell") ?? CELLS.digits);
  byId("smaller").onclick = zoomed(1 / 1.3);
  byId("larger").onclick = zoomed(1.3);
  byId("width").onclick = redraw({ zoom: null });
  byId("whole").onclick = redraw({ zoom: "whole" });
  for (const radio of document.querySelectorAll("[name=kind]")) radio.onchange = () => redraw({ kind: radio.value })();
  byId("gold").onchange = showAlignment;
  let waits = 0;
  addEventListener("resize", () => { clearTimeout(waits); waits = setTimeout(redraw({}), 150); });
}

/** What scrolls can be scrolled by keys. */
function markScrolling() {
  for (const box of document.querySelectorAll("figure .scroll, .figures")) {
    const region = box.closest(".scroll"), isWider = region.scrollWidth > region.clientWidth + 1;
    if (isWider) region.tabIndex = 0; else region.removeAttribute("tabindex");
  }
}

function start() {
  const hasValues = data.sentences.some(sentence => sentence.outputs.some(output => output.value !== null));
  const orders = Object.keys(ORDERS).filter(order => hasValues || !/worst|best/.test(order)).filter(order => data.systems.length > 1 || !/difference/.test(order));
  byId("order").append(...orders.map(order => html("option", { value: order }, order)));
  for (const id of ["first", "second"]) byId(id).append(...data.systems.map((name, system) => html("option", { value: system }, name)));
  byId("second").value = Math.min(1, data.systems.length - 1);
  byId("previous").hidden = byId("next").hidden = data.sentences.length < 2;
  byId("search").oninput = byId("order").onchange = byId("first").onchange = byId("second").onchange = fillTable;
  byId("more").onclick = () => { state.shown += PAGE; showRows(); };
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("list").tBodies[0].onkeydown = walkList;
  startTheme();
  startPicture();
  makeHead();
  fillTable();
  if (location.hash && restore()) byId("alignment").scrollIntoView({ block: "start" });
  addEventListener("popstate", restore);
  addEventListener("resize", markScrolling);
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
  markScrolling();
  document.documentElement.dataset.ready = "";
}

/* After the letters that the page brings: Chromium leaves boxes in table cells that were laid out before. */
document.fonts.load('16px "page letters"').then(start);
