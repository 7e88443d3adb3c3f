// The lanes, a card each.

import { of } from "./api.js";
import { change } from "./dialogs.js";
import { byId, element, pairs, say, show, state } from "./elements.js";
import { RESTS, bound, clock, count, duration, forecast, many, plain, rate } from "./words.js";

export function showLanes(told, shown, refresh) {
  show(byId("lane-list"), told.lanes.length
    ? told.lanes.map((lane) => card(lane, told.console === "write", lane.activation === shown, refresh))
    : element("p", { class: "dim" }, "No lane runs in this process."));
}

// What a person should see first, also in the tab's title: how many things wait for one.
export function summarise(told) {
  const halted = told.lanes.filter((lane) => lane.state === "halted").length;
  const held = told.lanes.reduce((sum, lane) => sum + (lane.held ?? 0), 0);
  const letters = told.lanes.reduce((sum, lane) => sum + (lane.open_letters ?? 0), 0);
  const down = new Set(told.lanes.filter((lane) => lane.limits.destination_down).map((lane) => lane.destination)).size;
  const parts = [
    halted && `${many(halted, "lane")} halted`, down && `${many(down, "destination")} down`,
    held && `${many(held, "held delete")}`, letters && `${many(letters, "dead letter")}`].filter(Boolean);
  show(byId("summary"), parts.length ? element("span", { class: "alarm" }, parts.join(", ")) : element("span", { class: "dim" }, "nothing waits for you"));
  document.title = `${parts.length ? `(${parts.length}) ` : ""}${told.name} – stream-sync`;
}

function card(lane, writes, isShown, refresh) {
  const link = element("a", { href: `#/${encodeURIComponent(lane.activation)}`, "data-key": `open ${lane.activation}` }, lane.activation);
  return element("article", { class: isShown ? "lane shown" : "lane" },
    element("h3", {}, link, state(lane.state)),
    element("p", { class: "dim" }, `${lane.topic} → ${lane.destination}, ${lane.mode}`),
    lane.reason ? element("p", { class: lane.state === "halted" ? "alarm" : "dim" }, why(lane)) : null,
    pairs([
      ["Fresh", lane.freshness ? `${duration(lane.freshness.median)}, 95 % in ${duration(lane.freshness.p95)}` : "nothing delivered lately"],
      ["Oldest waits", lane.oldest_pending_seconds ? duration(lane.oldest_pending_seconds) : "none"],
      ["Backlog", lane.lag || lane.pending ? `${count(lane.lag)} in Kafka, ${count(lane.pending)} here` : "none"],
      ["Forecast", forecast(lane.forecast)],
      ["Speed", `${rate(lane.records_per_second)} records/s, ${rate(lane.people_per_second)} people/s`],
      ["Limit", lane.limits.rate_limit ? `${lane.limits.rate_limit}, now ${rate(lane.limits.requests_per_second)}/s` : "none"],
      ["Bound by", lane.limits.destination_down ? alarm("the destination is down") : bound(lane.limits.limited_by)],
      ["Dead letters", lane.open_letters ? alarm(`${count(lane.open_letters)} open`) : lane.open_letters === 0 ? "none open" : "–"],
      lane.held === null ? null : ["Held deletes", lane.held ? alarm(`${count(lane.held)} wait for you`) : "none"],
    ].filter(Boolean)),
    writes ? element("p", { class: "actions" }, pauseButton(lane, refresh)) : null);
}

function why(lane) {
  const until = lane.next_run ? ` until ${clock(lane.next_run)}` : "";
  return lane.state === "halted" ? `Halted: ${plain(lane.reason)}` : `${RESTS[lane.reason] ?? plain(lane.reason)}${until}`;
}

function alarm(text) {
  return element("span", { class: "alarm" }, text);
}

function pauseButton(lane, refresh) {
  const word = lane.paused ? "resume" : "pause";
  const act = async () => {
    const done = await change(of(lane.activation, word), {});
    if (done) say(`${done.activation} is ${done.paused ? "paused" : "resumed"}`);
    refresh();
  };
  return element("button", { type: "button", "data-key": `pause ${lane.activation}`, onclick: act, "aria-label": `${lane.paused ? "Resume" : "Pause"} ${lane.activation}` },
    lane.paused ? "Resume" : "Pause");
}
