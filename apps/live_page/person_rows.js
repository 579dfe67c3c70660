/* Rows of lists of people, and the mark of an identity. */

import {cropAddress} from "./api.js";
import {paint} from "./colors.js";
import {make, setText} from "./elements.js";
import {fullLabel} from "./format.js";

/** The number of an identity in its colour. */
export function pill(identity) {
  const node = make("span", {class: "pill"}, `#${identity}`);
  paint(node, identity);
  return node;
}

/** A picture of somebody, or an outline where there is none. The name beside it says who it is. */
export function cropImage(id, className = "crop") {
  const image = make("img", {class: className, alt: "", loading: "lazy", decoding: "async", draggable: "false"});
  image.addEventListener("error", () => image.removeAttribute("src"));
  setCrop(image, id);
  return image;
}

export function setCrop(image, id) {
  if (image.crop === id) return;
  image.crop = id;
  if (id === null || id === undefined) image.removeAttribute("src");
  else image.src = cropAddress(id);
}

/** A row that leads to somebody's card, for `keyed` lists. */
export function personRow() {
  const parts = {
    crop: cropImage(null),
    pill: make("span", {class: "pill"}),
    name: make("span", {class: "name"}),
    first: make("span", {class: "soft"}),
    second: make("span", {class: "soft"}),
    mark: make("span", {class: "here", hidden: true}, "here"),
  };
  const link = make(
    "a",
    {class: "person-row"},
    parts.crop,
    make(
      "span",
      {class: "person-text"},
      make("span", {class: "person-name"}, parts.pill, parts.name, parts.mark),
      parts.first,
      parts.second,
    ),
  );
  const node = make("li", {}, link);
  Object.assign(node, {parts, link});
  return node;
}

/** Show somebody in a row, with two lines of text. */
export function fillPerson(node, person, first, second, {here = false} = {}) {
  const {parts, link} = node,
    {identity, name} = person;
  setCrop(parts.crop, person.crop);
  if (node.identity !== identity) {
    node.identity = identity;
    link.href = `#person-${identity}`;
    setText(parts.pill, `#${identity}`);
    paint(parts.pill, identity);
  }
  setText(parts.name, name || "no name yet");
  parts.name.classList.toggle("unnamed", !name);
  setText(parts.first, first);
  setText(parts.second, second);
  parts.mark.hidden = !here;
  link.setAttribute(
    "aria-label",
    `${fullLabel(identity, name)}: ${[here ? "here now" : "", first, second].filter(Boolean).join("; ")}`,
  );
}
