// Asks the service. The token of who changes something stays in this tab.

const KEY = "stream-sync-token";

export function token() {
  return sessionStorage.getItem(KEY);
}

export function setToken(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, told.error ?? `the service answers ${response.status}`);
  return told;
}

export async function get(path) {
  return answer(await fetch(path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(30_000) }));
}

export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token() ?? ""}` };
  const signal = AbortSignal.timeout(30_000);
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

export function of(activation, rest) {
  return `/api/activations/${encodeURIComponent(activation)}/${rest}`;
}
