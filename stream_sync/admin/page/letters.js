// One lane's outcomes, warnings, dead letters and held deletes, and what can be done with them.

import { get, of } from "./api.js";
import { change, confirm, ended } from "./dialogs.js";
import { byId, element, say, show, table } from "./elements.js";
import { count, day, many, people, plain } from "./words.js";

const FEW = 8;
const COLUMNS = [["Letter", "short"], ["When", "short"], ["Code", "code"], ["Why"], ["Source", "short"], ["Row", "mask"]];

export function showDetail(lane, writes, refresh) {
  const section = byId("detail");
  section.hidden = !lane;
  if (!lane) return;
  if (section.dataset.lane !== lane.activation) {
    section.dataset.lane = lane.activation;
    section.replaceChildren(
      element("div", { class: "head" },
        element("h2", { id: "detail-title", tabindex: "-1" }, lane.activation),
        element("a", { href: "#lanes" }, "Close")),
      element("div", { class: "detail" },
        element("div", { id: "counts" }),
        element("div", { id: "letters" }), element("div", { id: "held" })));
    load(lane.activation, "letters", writes, refresh);
    if (lane.held !== null) load(lane.activation, "held", writes, refresh);
    byId("detail-title").focus();
    section.scrollIntoView({ block: "start" });
  }
  show(byId("counts"), counts("Outcomes since the start of this process", lane.outcomes),
    counts("Warnings since the start of this process", lane.warnings));
}

function counts(title, numbers) {
  const entries = Object.entries(numbers);
  return [element("h3", {}, title), entries.length
    ? element("ul", { class: "chips" }, entries.map(([code, number]) => element("li", {}, `${plain(code)} ${count(number)}`)))
    : element("p", { class: "dim" }, "None.")];
}

export async function load(activation, which, writes, refresh, code = null) {
  const holder = byId(which);
  const again = (other = code) => load(activation, which, writes, refresh, other);
  show(holder, element("h3", {}, title(which)), element("p", { class: "dim" }, "Reading …"));
  try {
    const query = code ? `?code=${encodeURIComponent(code)}` : "";
    const told = await get(of(activation, which) + query);
    if (byId("detail").dataset.lane === activation) show(holder, letters(activation, which, told, writes, code, again, refresh));
  } catch (refusal) {
    show(holder, element("h3", {}, title(which)), element("p", { class: "alarm" }, refusal.message), reload(again));
  }
}

function title(which) {
  return which === "held" ? "Held deletes" : "Dead letters";
}

function reload(again) {
  return element("button", { type: "button", "data-key": "reload", onclick: () => again() }, "Read again");
}

function letters(activation, which, told, writes, code, again, refresh) {
  const rows = told.letters.map((letter) => [
    `${letter.partition}/${letter.offset}`, day(letter.failed_at), letter.code, letter.message,
    `${letter.source_partition}/${letter.source_offset}`, letter.row]);
  const act = (action) => () => run(activation, action, code, told.total, again, refresh);
  const buttons = writes && told.total ? which === "held"
    ? [["Release …", "release", "risky"], ["Discard …", "discard", ""]]
    : [[code ? `Replay those with ${code} …` : "Replay all …", "replay", "main"]] : [];
  return [
    element("div", { class: "head" },
      element("h3", {}, `${title(which)}: ${count(told.total)} ${which === "held" ? "waiting" : "open"}`), reload(again)),
    told.total && which === "letters" ? element("ul", { class: "chips", "aria-label": "By code" },
      Object.entries(told.codes).map(([name, number]) => element("li", {},
        element("button", { type: "button", "data-key": `code ${name}`, "aria-pressed": String(name === code), onclick: () => again(name === code ? null : name) },
          `${name} ${count(number)}`)))) : null,
    rows.length ? listed(which, rows) : element("p", { class: "dim" }, "None."),
    rows.length && told.total > rows.length ? element("p", { class: "dim" }, `The oldest ${count(rows.length)} of ${count(told.total)}.`) : null,
    buttons.length ? element("p", { class: "actions" }, buttons.map(([text, action, kind]) =>
      element("button", { type: "button", class: kind, "data-key": action, onclick: act(action) }, text))) : null,
  ];
}

// A screenful; the rest of what was read when asked for.
function listed(which, rows) {
  const holder = element("div", { class: "wide" }, table(COLUMNS, rows.slice(0, FEW), title(which)));
  if (rows.length <= FEW) return holder;
  const more = element("button", { type: "button", "data-key": `more ${which}`, onclick: () => {
    holder.replaceChildren(table(COLUMNS, rows, title(which)));
    more.remove();
  } }, `Show ${count(rows.length - FEW)} more`);
  return element("div", {}, holder, element("p", {}, more));
}

// First what it would do, then the question, then the deed, within what was agreed to.
async function run(activation, action, code, total, again, refresh) {
  const path = of(activation, action === "replay" ? "letters/replay" : `held/${action}`);
  const filter = code ? { code } : {};
  let agreed = total;
  let lines = [`${many(total, "held delete")} dropped: these people stay at the destination. This cannot be undone.`];
  if (action !== "discard") {
    say("Reading what would be sent");
    const planned = await finished(await change(path, { ...filter, dry_run: true }), refresh);
    if (!planned || planned.state === "failed") return;
    const { writes = 0, deletes = 0 } = planned.planned;
    agreed = deletes;
    lines = action === "release"
      ? [`Of ${many(planned.letters, "held delete")}, ${people(deletes)} still gone from the source.`,
        `${people(deletes)} deleted at the destination, for good.`]
      : [`${many(planned.letters, "letter")}, as the source has the rows now:`, `${people(writes)} sent whole, ${people(deletes)} deleted.`];
  }
  const yes = { release: `Delete ${many(agreed, "person", "people")}`, discard: "Drop them", replay: "Replay" }[action];
  if (!(await confirm(`${{ release: "Release", discard: "Discard", replay: "Replay" }[action]} for ${activation}?`, lines, yes, action !== "replay"))) return;
  await finished(await change(path, { ...filter, agreed }), refresh);
  again();
  refresh();
}

async function finished(job, refresh) {
  if (!job) return null;
  refresh();
  const last = await ended(job, refresh);
  say(`${last.action} of ${last.activation}: ${last.state}`);
  return last;
}

