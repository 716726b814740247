/* State: what is shown. All of it is in the address, so that a link is a slide. */

export const SIDES = ["a", "b"];
export const EMPTY_SIDE = () => ({ model: "", prefix: [], given: {} });
export const state = { s: "", k: 5, t: 0, m: 5, j: 0, a: EMPTY_SIDE(), b: EMPTY_SIDE(), side: "a", projector: false };

/** What the models answered about the state: per side { trace, base, tree } or { error }. */
export const session = { models: [], examples: [], a: null, b: null };

const undone = [];

/** The address's part after #. */
export function writeState() {
  const fields = new URLSearchParams({ s: state.s, k: state.k, t: state.t, m: state.m, j: state.j });
  for (const side of SIDES) {
    fields.set(side, state[side].model);
    if (state[side].prefix.length) fields.set(`f${side}`, JSON.stringify(state[side].prefix));
    if (Object.keys(state[side].given).length) fields.set(`g${side}`, JSON.stringify(state[side].given));
  }
  if (state.side !== "a") fields.set("side", state.side);
  if (state.projector) fields.set("projector", "1");
  return `#${fields}`;
}

/** Puts the state into the address. */
export const keepState = () => history.replaceState(null, "", writeState());

function parsed(text, fallback) {
  try { return text === null ? fallback : JSON.parse(text); } catch { return fallback; }
}

const whole = (text, fallback) => (/^\d{1,4}$/.test(text ?? "") ? Number(text) : fallback);

/** Reads an address's part after #; what makes no sense is left as it is. */
export function readState(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  state.s = fields.get("s") ?? state.s;
  for (const name of ["k", "t", "m", "j"]) state[name] = whole(fields.get(name), state[name]);
  state.k = Math.min(10, Math.max(1, state.k));
  state.m = Math.min(5, state.m);
  for (const side of SIDES) {
    const prefix = parsed(fields.get(`f${side}`), []), given = parsed(fields.get(`g${side}`), {});
    state[side] = {
      model: fields.get(side) ?? state[side].model,
      prefix: Array.isArray(prefix) ? prefix.filter(each => typeof each === "string") : [],
      given: given && typeof given === "object" && !Array.isArray(given) ? given : {},
    };
  }
  state.side = fields.get("side") === "b" ? "b" : "a";
  state.projector = fields.get("projector") === "1";
  return fields;
}

/** Remembers the changes of a side, for `undo`. */
export function remember() {
  undone.push(JSON.stringify({ a: state.a, b: state.b }));
  if (undone.length > 100) undone.shift();
}

/** Takes the last change back; false if there is none. */
export function undo() {
  const last = undone.pop();
  if (last === undefined) return false;
  Object.assign(state, JSON.parse(last));
  return true;
}

export const canUndo = () => undone.length > 0;
