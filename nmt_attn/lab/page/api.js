/* Questions to the server; in a saved page, to the answers that are in it. */
import { byId } from "./elements.js";
import { requestKey } from "./basics.js";

const answers = new Map();
const found = byId("answers");
export const isFrozen = found !== null;
if (isFrozen) for (const [key, answer] of Object.entries(JSON.parse(found.textContent) ?? {})) answers.set(key, answer);
let token = null;

/** Takes the token out of the address, so that no link that is copied has it. */
export function takeToken() {
  const fields = new URLSearchParams(location.hash.replace(/^#/, ""));
  if (isFrozen || !fields.has("token")) { token = isFrozen ? null : sessionStorage.getItem("token"); return; }
  token = fields.get("token");
  sessionStorage.setItem("token", token);
  fields.delete("token");
  history.replaceState(null, "", `#${fields}`);
}

async function request(path, options) {
  const headers = { ...(options.headers ?? {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try { response = await fetch(path, { ...options, headers }); } catch { throw new Error("The server does not answer. Is nmt-attn serve still running?"); }
  return response;
}

/** The answer to a GET, or with a body to a POST. Throws Error with the server's sentence. */
export async function ask(path, body) {
  const key = requestKey(path, body);
  if (answers.has(key)) return answers.get(key);
  if (isFrozen) throw new Error("This saved page has no answer to that: it shows what was asked before it was saved.");
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await request(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  if (!path.startsWith("/api/training")) answers.set(key, answer);
  return answer;
}

/** The page with all answers so far, as one file. */
export async function frozenText() {
  const template = isFrozen ? null : await (await request("/static/frozen.html", {})).text();
  if (template === null) return `<!doctype html>\n${document.documentElement.outerHTML}`;
  const text = JSON.stringify(Object.fromEntries(answers)).replaceAll("<", "\\u003c");
  return template.replace("/*ANSWERS*/null", () => text);
}
