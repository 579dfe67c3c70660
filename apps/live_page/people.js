/* Who is here now, and everybody who is known. */

import {api} from "./api.js";
import {get, keyed, later, setText} from "./elements.js";
import {ago, clock, duration, plural} from "./format.js";
import {attempt} from "./messages.js";
import {fillPerson, personRow} from "./person_rows.js";
import {learnNames, on, state, tell} from "./state.js";

const PAGE = 50;
const CHANGES = new Set([
  "identity_opened",
  "identity_recalled",
  "identities_merged",
  "identity_renamed",
  "identity_erased",
  "identity_corrected",
]);

export class People {
  constructor() {
    this.found = [];
    this.total = 0;
    this.turn = 0;
    on("present", () => {
      this.showPresent();
      if (this.found.length && this.isSeen) this.showFound();
    });
    on("event", event => {
      if (CHANGES.has(event.kind)) this.reloadWithin(700);
      else if (event.kind === "identity_assigned") this.reloadWithin(5000);
    });
    on("tab", tab => {
      if (tab === "people") this.reload();
    });
    const search = later(250, () => this.reload({fresh: true}));
    get("people-query").addEventListener("input", search);
    get("people-more").addEventListener("click", () => this.more());
    // "3 min ago" grows old.
    setInterval(() => {
      if (!document.hidden) this.showPresent();
    }, 5000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.reloadWithin(700);
    });
  }

  get isSeen() {
    return !document.hidden && document.body.dataset.tab === "people";
  }

  /** Ask for the list again after so many milliseconds at the latest, if it is shown then. */
  reloadWithin(pause) {
    const due = Date.now() + pause;
    if (this.due && this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.due = 0;
      if (this.isSeen) this.reload();
    }, pause);
  }

  showPresent() {
    const {people, time} = state.present;
    setText(get("present-count"), String(people.length));
    get("nobody-present").hidden = people.length > 0;
    setText(
      get("nobody-present"),
      state.status?.cameras.length === 0
        ? "No camera, nobody to see."
        : "Nobody is in view. Who walks in appears here.",
    );
    keyed(
      get("present-list"),
      people,
      person => person.identity,
      personRow,
      (node, person) =>
        fillPerson(
          node,
          person,
          person.cameras.length ? `in ${person.cameras.join(", ")}` : `last seen ${ago(person.last_seen, time)}`,
          `since ${clock(person.since)} (${duration(time - person.since)})`,
        ),
    );
  }

  /** Ask for the list again, as long as it is shown; `fresh`: from its beginning. */
  async reload({fresh = false} = {}) {
    const turn = ++this.turn,
      query = get("people-query").value.trim();
    const limit = fresh ? PAGE : Math.min(Math.max(this.found.length, PAGE), 500);
    await attempt(async () => {
      const answer = await api.people({query, limit, offset: 0});
      if (turn !== this.turn) return;
      this.found = answer.people;
      this.total = answer.total;
      this.query = query;
      this.learn();
    });
  }

  async more() {
    const turn = ++this.turn,
      before = this.found.length;
    await attempt(async () => {
      const answer = await api.people({query: this.query, limit: PAGE, offset: before});
      if (turn !== this.turn) return;
      const known = new Set(this.found.map(person => person.identity));
      this.found = [...this.found, ...answer.people.filter(person => !known.has(person.identity))];
      this.total = answer.total;
      this.learn();
      get("people-list").children[before]?.querySelector("a")?.focus();
    });
  }

  learn() {
    learnNames(this.found);
    tell("names");
    this.showFound();
  }

  showFound() {
    const now = state.status?.time ?? Date.now() / 1000;
    // The list is older than the news of who is here.
    const here = new Set(state.present.people.map(person => person.identity));
    setText(get("people-count"), String(this.total));
    get("people-more").hidden = this.found.length >= this.total;
    get("nobody-known").hidden = this.found.length > 0;
    setText(
      get("nobody-known"),
      this.query
        ? `Nobody is called “${this.query}” or has that number.`
        : "Nobody is known yet. As soon as somebody was seen well enough, they are kept here.",
    );
    keyed(
      get("people-list"),
      this.found,
      person => person.identity,
      personRow,
      (node, person) =>
        fillPerson(
          node,
          person,
          here.has(person.identity)
            ? `${plural(person.sightings, "sighting")}, first ${clock(person.first_seen, {seconds: false})}`
            : `last seen ${ago(person.last_seen, now)}, ${plural(person.sightings, "sighting")}`,
          person.cameras.join(", "),
          {here: here.has(person.identity)},
        ),
    );
  }
}
