// Asks the person: for the token, and whether something is really to be done.

import { Refused, get, post, setToken, token } from "./api.js";
import { byId, element, say } from "./elements.js";

// Resolves with what `read` gives, or with null where it was cancelled.
function ask(title, content, yes, { risky = false, read = () => true, focus = null } = {}) {
  const dialog = byId("ask");
  return new Promise((resolve) => {
    let result = null;
    const form = element("form", {},
      element("h2", { id: "ask-title" }, title), ...content,
      element("p", { class: "actions" },
        element("button", { type: "submit", class: risky ? "risky" : "main" }, yes),
        element("button", { type: "button", id: "cancel", onclick: () => dialog.close() }, "Cancel")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      result = read();
      dialog.close();
    });
    dialog.replaceChildren(form);
    dialog.addEventListener("close", () => resolve(result), { once: true });
    dialog.showModal();
    (focus ?? byId("cancel")).focus();
  });
}

export function confirm(title, lines, yes, risky) {
  return ask(title, lines.map((line) => element("p", {}, line)), yes, { risky });
}

export async function askToken(why = "") {
  const input = element("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const given = await ask("Show the token",
    [element("p", {}, why || "Who changes something shows the token of the config's admin section. It stays in this tab."),
      element("p", {}, element("label", { for: "token" }, "Token"), input)],
    "Use it", { read: () => input.value.trim(), focus: input });
  if (given) setToken(given);
  return Boolean(given);
}

// Posts; asks for the token where there is none or it is wrong. null where the person gave up.
export async function change(path, body) {
  if (!token() && !(await askToken())) return null;
  for (;;) {
    try {
      return await post(path, body);
    } catch (refusal) {
      if (!(refusal instanceof Refused) || refusal.status !== 401) {
        say(refusal.message);
        await ask("That was not done", [element("p", {}, refusal.message)], "Close");
        return null;
      }
      setToken(null);
      if (!(await askToken("That token is not the one of the config."))) return null;
    }
  }
}

// A job to its end; `told` is called with each state of it.
export async function ended(job, told) {
  while (job.state === "running") {
    await new Promise((resolve) => setTimeout(resolve, 700));
    job = (await get("/api/jobs")).jobs.find((each) => each.id === job.id) ?? { ...job, state: "failed" };
    told?.(job);
  }
  return job;
}
