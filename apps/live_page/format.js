/* Numbers and times as people read them. */

const CLOCK = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const SHORT_CLOCK = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit"});
const DAY = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short"});
const DAY_AND_YEAR = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", year: "numeric"});

function day(time) {
  const date = new Date(1000 * time),
    now = new Date();
  if (date.toDateString() === now.toDateString()) return "";
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

/** Seconds since 1970 as the time of day, with the day unless it is today. */
export function clock(time, {seconds = true} = {}) {
  const text = (seconds ? CLOCK : SHORT_CLOCK).format(new Date(1000 * time)),
    date = day(time);
  return date ? `${date}, ${text}` : text;
}

/** Two times, the day only once where it is the same. */
export function period(start, end) {
  return day(start) === day(end)
    ? `${clock(start)} – ${CLOCK.format(new Date(1000 * end))}`
    : `${clock(start)} – ${clock(end)}`;
}

/** Seconds as a length of time in at most two units. */
export function duration(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

/** How long ago; both times by the server's clock. */
export function ago(time, now) {
  return now - time < 2 ? "now" : `${duration(now - time)} ago`;
}

export function bytes(count) {
  let value = count,
    unit = 0;
  const units = ["B", "kB", "MB", "GB", "TB"];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 10 ? 1 : 0)} ${units[unit]}`;
}

export function count(number) {
  return new Intl.NumberFormat("en-GB").format(number);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function decimal(number, digits = 1) {
  return Number.isFinite(number) ? number.toFixed(digits) : "–";
}

/** What a person is called in one word. */
export function label(identity, name) {
  return name || `#${identity}`;
}

/** Name and number. */
export function fullLabel(identity, name) {
  return name ? `${name} (#${identity})` : `#${identity}`;
}

/** A text cut to a length, so that a long name cannot cover a picture. */
export function shortened(text, most) {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join("")}…`;
}

/** A message of the server as a sentence. */
export function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : "";
}
