// The latest changes, while somebody watches.

import { get } from "./api.js";
import { byId, element, state, table } from "./elements.js";
import { clock, count, duration, plain } from "./words.js";

const COLUMNS = [["Time", "short"], ["Activation"], ["Outcome"], ["Kind"], ["Person", "mask"], ["Sent"], ["Record", "number"], ["After", "number"]];
const MOST = 100;

let watching = false;
let last = 0;
let seen = [];

export function setUpChanges() {
  byId("watch").addEventListener("click", () => {
    watching = !watching;
    byId("watch").setAttribute("aria-pressed", String(watching));
    byId("watch").textContent = watching ? "Stop watching" : "Watch";
    byId("change-list").hidden = !watching;
    if (watching) {
      seen = [];
      refreshChanges();
    }
  });
}

export async function refreshChanges() {
  if (!watching) return;
  const told = await get(`/api/changes?after=${last}`);
  last = told.last;
  seen = [...told.changes, ...seen].slice(0, MOST);
  byId("watched").textContent = told.missed
    ? `A sample: ${count(told.missed)} more since you began to watch. Persons are masked, values never shown.`
    : "Persons are masked, values never shown.";
  if (told.changes.length || !seen.length) {
    byId("change-list").replaceChildren(seen.length
      ? table(COLUMNS, seen.map(row), "Live changes")
      : element("p", { class: "dim" }, "Waiting for changes."));
  }
}

function row(each) {
  const names = each.names.join(", ") + (each.more_names ? ` and ${each.more_names} more` : "");
  return [clock(each.at), each.activation, [state(each.outcome), each.code ? ` ${plain(each.code)}` : ""], each.kind ?? "–",
    each.person, names, `${each.partition}/${each.offset}${each.records > 1 ? ` (+${each.records - 1})` : ""}`, duration(each.seconds)];
}
