// The page: asks again and again, and shows what is told.

import { get, setToken, token } from "./api.js";
import { refreshChanges, setUpChanges } from "./changes.js";
import { askToken } from "./dialogs.js";
import { byId, element, show } from "./elements.js";
import { showJobs } from "./jobs.js";
import { showLanes, summarise } from "./lanes.js";
import { showDetail } from "./letters.js";

const EVERY_MS = 2000;

// The activation that the address names: `#/gold`.
function chosen() {
  try {
    return location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : "";
  } catch {
    return "";
  }
}

async function refresh() {
  try {
    const [told, worked] = await Promise.all([get("/api/lanes"), get("/api/jobs"), refreshChanges()]);
    const writes = told.console === "write";
    summarise(told);
    byId("name").textContent = told.name;
    byId("about").textContent = `stream-sync ${told.version}`;
    showRights(writes);
    showLanes(told, chosen(), refresh);
    showDetail(told.lanes.find((lane) => lane.activation === chosen()), writes, refresh);
    showJobs(worked.jobs, writes, refresh);
    trouble("");
  } catch (refusal) {
    trouble(`The service does not answer (${refusal.message}); what is shown is old.`);
  }
}

function showRights(writes) {
  const forget = () => {
    setToken(null);
    showRights(writes);
  };
  show(byId("rights"), writes
    ? [element("span", { class: "dim" }, token() ? "You can change things" : "Looking"),
      token() ? element("button", { type: "button", "data-key": "token", onclick: forget }, "Forget the token")
        : element("button", { type: "button", "data-key": "token", onclick: async () => (await askToken()) && showRights(writes) }, "Show the token")]
    : [element("span", { class: "dim" }, "Read-only")]);
}

function trouble(text) {
  byId("trouble").hidden = !text;
  if (byId("trouble").textContent !== text) byId("trouble").textContent = text;
}

setUpChanges();
window.addEventListener("hashchange", refresh);
await refresh();
setInterval(() => document.visibilityState === "visible" && refresh(), EVERY_MS);
