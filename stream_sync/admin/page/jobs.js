// What somebody asked for: under way, and what became of it.

import { change } from "./dialogs.js";
import { byId, element, show, state, table } from "./elements.js";
import { FATES, clock, count, plain } from "./words.js";

const COLUMNS = [["Started", "short"], ["What"], ["State"], ["Letters", "number"], ["Read", "number"], ["Sent", "number"], ["Result"]];

export function showJobs(jobs, writes, refresh) {
  byId("jobs").hidden = jobs.length === 0;
  if (!jobs.length) return;
  show(byId("job-list"), element("div", { class: "wide" }, table(COLUMNS, jobs.slice(0, 8).map((job) => [
    clock(job.started_at), `${job.action} of ${job.activation}${job.dry_run ? ", only asked" : ""}`, state(job.state),
    count(job.letters), count(job.records_read), count(job.people_sent), result(job, writes, refresh)]), "Replays, releases, discards")));
}

function result(job, writes, refresh) {
  if (job.state === "running") {
    return writes ? element("button", { type: "button", "data-key": `stop ${job.id}`, onclick: async () => {
      await change(`/api/jobs/${job.id}/stop`, {});
      refresh();
    } }, "Stop") : "";
  }
  const said = job.message ? [job.message] : [];
  const told = job.dry_run ? Object.entries(job.planned).map(([name, n]) => `${count(n)} ${FATES[name] ?? name}`)
    : Object.entries(job.results).map(([fate, n]) => `${count(n)} ${FATES[fate] ?? fate}`);
  const open = Object.entries(job.reasons).map(([code, n]) => `${count(n)} still open: ${plain(code)}`);
  return [...told, ...open, ...said].join("; ");
}
