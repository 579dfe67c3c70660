/* The card of a person, which the address `#person-7` opens. */

import {api} from "./api.js";
import {erase, mergePicker, nameForm, split} from "./card_edits.js";
import {crops, facts, path, sightings} from "./card_sections.js";
import {get, icon, later, make} from "./elements.js";
import {announce} from "./messages.js";
import {cropImage, pill} from "./person_rows.js";
import {learnNames, on, tell} from "./state.js";

const REFRESH_MS = 4000;

export class PersonCard {
  constructor() {
    this.dialog = get("card");
    this.identity = null;
    this.turn = 0;
    this.opener = null;
    this.dialog.addEventListener("close", () => this.closed());
    // A click beside the card closes it.
    this.dialog.addEventListener("pointerdown", event => {
      this.outside = event.target === this.dialog;
    });
    this.dialog.addEventListener("click", event => {
      if (event.target === this.dialog && this.outside) this.dialog.close();
    });
    window.addEventListener("hashchange", () => this.follow());
    document.addEventListener("click", event => {
      // The address is there already when a card was closed and its link is clicked again.
      const link = event.target.closest?.("a[href^='#person-']");
      if (link && link.getAttribute("href") === location.hash && !event.defaultPrevented) this.follow();
      if (link) this.opener = link;
    });
    const refresh = later(REFRESH_MS, () => this.refresh());
    on("event", event => {
      if (this.identity === null) return;
      if (event.kind === "identities_merged" && event.previous_identity === this.identity) this.open(event.identity);
      else if (event.kind === "identity_erased" && event.identity === this.identity) {
        this.gone = event.identity;
        this.say(`Number ${event.identity} was erased.`);
      } else if (event.identity === this.identity || event.previous_identity === this.identity) refresh();
    });
    on("theme", () => this.view?.redrawPath?.());
    window.addEventListener(
      "resize",
      later(150, () => this.view?.redrawPath?.()),
    );
  }

  follow() {
    const found = /^#person-(\d{1,15})$/.exec(location.hash);
    if (found) this.show(Number(found[1]));
    else if (this.dialog.open) this.dialog.close();
  }

  /** Open somebody's card; the address says so, too. */
  open(identity) {
    const address = `#person-${identity}`;
    if (location.hash === address) this.show(identity);
    else location.hash = address;
  }

  async show(identity) {
    if (this.identity !== identity) {
      this.view = {allCrops: false, allSightings: false, hours: 24, merging: false, again: () => this.fill()};
      this.person = null;
      get("card-content").replaceChildren(make("p", {class: "empty"}, "Loading …"));
      this.title(identity, null);
    }
    this.identity = identity;
    if (!this.dialog.open) this.dialog.showModal();
    await this.refresh();
  }

  title(identity, name) {
    get("card-title").replaceChildren(pill(identity), make("span", {class: "name"}, name ?? ""));
    this.dialog.setAttribute("aria-label", name ? `${name}, number ${identity}` : `Person number ${identity}`);
  }

  async refresh() {
    const {identity} = this,
      turn = ++this.turn;
    if (identity === null || this.gone === identity) return;
    try {
      const person = await api.person(identity);
      if (turn !== this.turn || this.identity !== identity) return;
      this.person = person;
      learnNames([person]);
      this.fill();
    } catch (error) {
      if (turn !== this.turn || this.identity !== identity) return;
      const text =
        error.status === 404
          ? `Nobody has the number ${identity} any more: erased, merged with somebody, or never given.`
          : error.message;
      this.say(text);
    }
  }

  /** Show a line instead of a person. */
  say(text) {
    this.turn += 1;
    this.person = null;
    this.view.merging = false;
    get("card-content").replaceChildren(make("p", {class: "empty"}, text));
  }

  /** Show what is known; what is being typed and where the focus is stay. */
  fill() {
    const {person, view} = this,
      content = get("card-content");
    const typed = content.querySelector("#card-name");
    if ((typed && typed.value.trim() !== (typed.defaultValue ?? "").trim()) || view.merging) {
      // Not under the hands of who is typing.
      if (content.contains(document.activeElement)) return;
      if (view.merging) return;
    }
    const focused = [...content.querySelectorAll("button, input, select, a")].indexOf(document.activeElement);
    const scrolled = content.scrollTop;
    this.title(person.identity, person.name);
    content.replaceChildren(
      ...[
        make(
          "div",
          {class: "card-top"},
          cropImage(person.crop, "crop portrait"),
          make(
            "div",
            {class: "card-facts"},
            nameForm(person, changed => {
              this.person = {...person, name: changed.name};
              this.named();
            }),
            facts(person),
          ),
        ),
        this.actions(),
        crops(person, view),
        sightings(person, view, sighting => this.split(sighting)),
        path(person, view),
      ].filter(Boolean),
    );
    content.scrollTop = scrolled;
    if (focused >= 0) content.querySelectorAll("button, input, select, a")[focused]?.focus({preventScroll: true});
  }

  named() {
    learnNames([this.person]);
    tell("names");
    this.title(this.person.identity, this.person.name);
    this.refresh();
  }

  actions() {
    const place = make("div", {class: "card-actions"});
    const merge = make("button", {type: "button", id: "card-merge"}, icon("merge"), "Merge with …");
    const remove = make("button", {type: "button", class: "danger-text", id: "card-erase"}, icon("trash"), "Erase …");
    merge.addEventListener("click", () => {
      this.view.merging = true;
      const picker = mergePicker(
        this.person,
        into => this.merged(into),
        () => this.unpick(picker.section),
      );
      place.after(picker.section);
      merge.disabled = true;
      picker.focus();
    });
    remove.addEventListener("click", async () => {
      // Nothing more is asked about who goes.
      const {person} = this;
      this.gone = person.identity;
      if (await erase(person)) this.dialog.close();
      else this.gone = null;
    });
    place.append(merge, remove);
    return place;
  }

  unpick(section) {
    section.remove();
    this.view.merging = false;
    this.fill();
    get("card-merge")?.focus();
  }

  merged(into) {
    this.view.merging = false;
    if (into === this.identity) {
      get("card-content").querySelector(".picker")?.remove();
      this.refresh();
    } else this.open(into);
  }

  async split(sighting) {
    const number = await split(this.person, sighting);
    if (number !== null) this.open(number);
  }

  closed() {
    this.identity = null;
    this.person = null;
    this.turn += 1;
    if (/^#person-/.test(location.hash)) history.replaceState(null, "", location.pathname);
    // Lists may have been made anew meanwhile.
    const again =
      this.opener &&
      (this.opener.isConnected ? this.opener : document.querySelector(`a[href="${this.opener.getAttribute("href")}"]`));
    again?.focus({preventScroll: true});
  }

  /** Told by the whole page when the server is another one than before. */
  forget() {
    if (this.dialog.open) {
      this.dialog.close();
      announce("The server was started anew.");
    }
  }
}
