/* What can be changed about a person: the name, with whom it is one, what is somebody else, and whether it is kept. */

import {api} from "./api.js";
import {icon, keyed, later, make} from "./elements.js";
import {fullLabel, label, period, plural} from "./format.js";
import {announce, attempt, confirmed} from "./messages.js";
import {cropImage, fillPerson, personRow, pill} from "./person_rows.js";
import {state} from "./state.js";

/** The form of the name. `onchange(person)` after it was kept. */
export function nameForm(person, onchange) {
  const field = make("input", {
    id: "card-name",
    type: "text",
    maxlength: "100",
    autocomplete: "off",
    placeholder: "no name yet",
    value: person.name ?? "",
  });
  const save = make("button", {type: "submit", disabled: true}, "Save");
  const form = make("form", {class: "name-form"}, make("label", {for: "card-name"}, "Name"), field, save);
  const value = () => field.value.trim() || null;
  field.addEventListener("input", () => {
    save.disabled = value() === (person.name || null);
  });
  form.addEventListener("submit", async event => {
    event.preventDefault();
    if (save.disabled) return;
    save.disabled = true;
    const name = value();
    await attempt(async () => {
      onchange(await api.rename(person.identity, name));
      announce(name ? `#${person.identity} is called ${name}.` : `#${person.identity} has no name any more.`);
    });
    save.disabled = value() === (person.name || null);
  });
  return form;
}

/** Ask, and split a sighting off. Resolves to the new number, or `null`. */
export async function split(person, sighting) {
  const sure = await confirmed({
    title: "Is this somebody else?",
    text:
      `What was seen in ${sighting.camera}, ${period(sighting.start, sighting.end)}, gets a new number. ` +
      `The rest stays with ${fullLabel(person.identity, person.name)}.`,
    yes: "Split off",
  });
  if (!sure) return null;
  let number = null;
  await attempt(async () => {
    ({identity: number} = await api.split(person.identity, sighting));
    announce(`Split off as #${number}.`);
  });
  return number;
}

/** Ask, and erase somebody. Resolves to whether it was done. */
export async function erase(person) {
  const sure = await confirmed({
    title: `Erase ${fullLabel(person.identity, person.name)}?`,
    text: "Pictures, vectors, sightings and the name are erased for good. Who is in view gets a new number.",
    yes: "Erase for good",
    danger: true,
    content: make("div", {class: "question-people"}, cropImage(person.crop, "crop large")),
  });
  if (!sure) return false;
  return attempt(async () => {
    await api.erase(person.identity);
    announce(`Erased #${person.identity}.`);
  });
}

/** Whose number stays: who has a name, and otherwise who was known earlier. */
function kept(one, other) {
  if (Boolean(one.name) !== Boolean(other.name)) return one.name ? one : other;
  return one.identity < other.identity ? one : other;
}

async function merge(person, other) {
  let into = kept(person, other);
  const choice = make("fieldset", {class: "question-people"}, make("legend", {}, "Which number stays?"));
  for (const one of [person, other]) {
    const radio = make("input", {
      type: "radio",
      name: "kept",
      checked: one === into,
      onchange: () => {
        into = one;
      },
    });
    choice.append(
      make(
        "label",
        {class: "choice"},
        cropImage(one.crop, "crop large"),
        make("span", {}, radio, " ", pill(one.identity)),
        make("span", {class: "name"}, one.name ?? ""),
      ),
    );
  }
  const sure = await confirmed({
    title: "Are these one person?",
    text: "Their sightings and pictures become one person's. They can be split off again one by one.",
    yes: "Merge",
    content: choice,
  });
  if (!sure) return null;
  const gone = into === person ? other : person;
  let result = null;
  await attempt(async () => {
    await api.merge(gone.identity, into.identity);
    result = into.identity;
    announce(`${label(gone.identity, gone.name)} is one with ${label(into.identity, into.name)} now.`);
  });
  return result;
}

/** A list from which the other one is picked. `onmerged(identity)` with the number that stayed; `onclose` otherwise. */
export function mergePicker(person, onmerged, onclose) {
  const field = make("input", {
    type: "search",
    placeholder: "Name or number",
    "aria-label": "Search for the other person by name or number",
  });
  const list = make("ul", {class: "people-list"}),
    said = make("p", {class: "empty"}, "Looking …");
  const close = make(
    "button",
    {type: "button", class: "plain", "aria-label": "Do not merge", onclick: onclose},
    icon("close"),
  );
  const section = make(
    "section",
    {class: "card-section picker"},
    make("div", {class: "section-head"}, make("h3", {}, "Who is the same person?"), close),
    field,
    said,
    list,
  );
  let turn = 0;
  async function load() {
    const mine = ++turn;
    await attempt(async () => {
      const answer = await api.people({query: field.value.trim(), limit: 30, offset: 0});
      if (mine !== turn) return;
      const others = answer.people.filter(other => other.identity !== person.identity);
      said.hidden = others.length > 0;
      said.textContent = field.value.trim() ? "Nobody else is called that." : "Nobody else is known yet.";
      keyed(
        list,
        others,
        other => other.identity,
        () => {
          const node = personRow();
          node.link.addEventListener("click", async event => {
            event.preventDefault();
            const into = await merge(person, node.person);
            if (into !== null) onmerged(into);
          });
          return node;
        },
        (node, other) => {
          node.person = other;
          fillPerson(node, other, other.cameras.join(", "), plural(other.sightings, "sighting"), {here: other.present});
          node.link.href = `#person-${person.identity}`;
          node.link.setAttribute("role", "button");
          node.link.setAttribute("aria-label", `The same as ${fullLabel(other.identity, other.name)}`);
        },
      );
    });
  }
  field.addEventListener("input", later(250, load));
  load();
  return {section, focus: () => field.focus(), now: () => state.status?.time};
}
