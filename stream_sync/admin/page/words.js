// Numbers, durations and states in words. Pure.

const whole = new Intl.NumberFormat();

export function count(number) {
  return number === null || number === undefined ? "–" : whole.format(number);
}

export function many(number, one, several = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : several}`;
}

export function people(number) {
  return number === 1 ? "1 person is" : `${count(number)} people are`;
}

export function rate(number) {
  if (number >= 100) return whole.format(Math.round(number));
  return number === 0 ? "0" : number.toPrecision(2).replace(/\.0+$/, "");
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function clock(text) {
  return new Date(text).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function day(text) {
  return new Date(text).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

export function plain(code) {
  return String(code).replaceAll("_", " ");
}

export function forecast(told) {
  switch (told.state) {
    case "caught_up": return "caught up";
    case "catching_up": return `caught up in ${duration(told.seconds)}`;
    case "falling_behind": return "falling behind";
    default: return "not known yet";
  }
}

const BOUNDS = {
  source: "nothing: it is idle",
  cpu: "the processor",
  rate_limit: "the rate limit",
  destination: "the destination",
  schedule: "its schedule",
};

export function bound(by) {
  return BOUNDS[by] ?? "–";
}

export const RESTS = {
  backlog_full: "As much is in memory as may be: it waits for the destination",
  by_request: "A person paused it",
  schedule: "It waits for its schedule",
  schema_registry: "It waits for the schema registry",
  state: "It waits for the last-delivered state",
  kafka: "It waits for Kafka to confirm that its partitions are still its own",
};

export const FATES = {
  writes: "would be sent whole",
  deletes: "would be deleted",
  delivered: "delivered",
  discarded: "dropped",
  ignored: "without effect: the destination does not know the person",
  nothing: "nothing to send now",
  superseded_or_expired: "skipped: the source's topic no longer has the record",
  refused: "refused again",
  unsettled: "cannot be decided",
  withheld: "deletes withheld",
};
