/* What happened, the newest first. */

import {api} from "./api.js";
import {get, make} from "./elements.js";
import {clock, label} from "./format.js";
import {attempt} from "./messages.js";
import {pill} from "./person_rows.js";
import {on, state} from "./state.js";

const SHOWN = 200;
const REMEMBERED = 600;
const PARTS = {
  track_started: event => ["a track begins", at(event)],
  track_ended: event => ["a track ends", at(event)],
  identity_opened: event => ["is somebody new", at(event)],
  identity_recalled: event => ["is known from an earlier run", at(event)],
  identity_assigned: event => ["was recognised", at(event)],
  identity_corrected: event => [`was taken for #${event.previous_identity}; corrected`, at(event)],
  identities_merged: event => [`and #${event.previous_identity} are one person`],
  zone_entered: event => [`entered ${event.place}`, at(event)],
  zone_left: event => [`left ${event.place}`, at(event)],
  line_crossed: event => [`crossed ${event.place} ${event.direction ?? ""}`.trim(), at(event)],
  identity_renamed: event => [
    state.names.has(event.identity) ? `is called ${state.names.get(event.identity)}` : "lost the name",
  ],
  identity_erased: () => ["was erased"],
  camera_state: event => [
    [`camera ${event.camera} ${event.phase ? `is ${event.phase}` : "came or went"}`, event.message]
      .filter(Boolean)
      .join(": "),
  ],
};
const KINDS = {
  people: [
    "identity_opened",
    "identity_recalled",
    "identity_assigned",
    "identity_corrected",
    "identities_merged",
    "identity_renamed",
    "identity_erased",
  ],
  zones: ["zone_entered", "zone_left", "line_crossed"],
  cameras: ["camera_state"],
  tracks: ["track_started", "track_ended"],
};

function at(event) {
  return event.camera ? `in ${event.camera}` : "";
}

export class EventLog {
  constructor() {
    this.events = [];
    on("event", event => this.take(event));
    on("tab", tab => {
      if (tab === "events") this.show();
    });
    on("names", () => {
      if (document.body.dataset.tab === "events") this.show();
    });
    get("event-filter").addEventListener("change", () => this.show());
  }

  /** Get what happened before the page was opened, or while it was cut off. */
  async load() {
    await attempt(async () => {
      this.events = (await api.events(REMEMBERED > 500 ? 500 : REMEMBERED)).events;
      this.show();
    });
  }

  take(event) {
    this.events.push(event);
    if (this.events.length > REMEMBERED) this.events.splice(0, this.events.length - REMEMBERED);
    if (document.body.dataset.tab !== "events" || document.hidden || !this.chosen(event)) return;
    const list = get("event-list");
    list.prepend(this.row(event));
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    get("no-events").hidden = true;
  }

  chosen(event) {
    const filter = get("event-filter").value;
    return filter === "all" || (KINDS[filter] ?? []).includes(event.kind);
  }

  show() {
    const shown = this.events
      .filter(event => this.chosen(event))
      .slice(-SHOWN)
      .reverse();
    get("event-list").replaceChildren(...shown.map(event => this.row(event)));
    get("no-events").hidden = shown.length > 0;
  }

  row(event) {
    const [text, where] = (PARTS[event.kind] ?? (() => [event.kind.replaceAll("_", " "), at(event)]))(event);
    const who = event.identity
      ? make(
          "a",
          {class: "who", href: `#person-${event.identity}`},
          pill(event.identity),
          state.names.has(event.identity)
            ? make("span", {class: "name"}, label(event.identity, state.names.get(event.identity)))
            : null,
        )
      : null;
    return make(
      "li",
      {class: `event ${event.kind}`},
      make("time", {}, clock(event.time)),
      make("span", {class: "event-text"}, who, who ? " " : null, `${text}${where ? ` ${where}` : ""}`),
    );
  }
}
