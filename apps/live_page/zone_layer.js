/* Zones and lines over a view or the floor plan. */

import {draw, make, setText} from "./elements.js";
import {plural, shortened} from "./format.js";
import {distance, forwardArrow, labelPlace, middle} from "./shapes.js";
import {state} from "./state.js";

const LONGEST_NAME = 22;

/** The corners of a zone, or the two ends of a line. */
export function cornersOf(place) {
  return place.polygon ?? [place.from, place.to];
}

/** What is counted at a place, in a few words. */
export function countText(name, kind) {
  const found = (kind === "zone" ? state.counts?.zones : state.counts?.lines)?.find(place => place.name === name);
  if (!found) return "";
  return kind === "zone" ? `${found.occupancy} now` : `${found.forward} forward, ${found.backward} back`;
}

/** The places of a camera (`null`: of the floor) as `{kind, ...}`. */
export function placesOf(camera) {
  const here = kind => place => ((place.camera ?? null) === camera ? [{kind, ...place}] : []);
  return [...state.zones.zones.flatMap(here("zone")), ...state.zones.lines.flatMap(here("line"))];
}

/** Draws the zones of one surface, and the draft that is being drawn on it. */
export class ZoneLayer {
  constructor(tile) {
    this.tile = tile;
    this.surface = tile.surface;
    this.labels = new Map();
  }

  /** Draw all; `draft` as in zone_editor.js, or `null`. A saved place that the draft changes is left out. */
  render(draft) {
    const {surface} = this,
      mine = draft && draft.camera === surface.camera && draft.points.length > 0;
    const places = placesOf(surface.camera).filter(place => place.name !== draft?.original);
    const parts = [];
    for (const place of places) parts.push(this.shape(place.kind, cornersOf(place)));
    this.named = places.map(place => {
      const text = draw("text", {class: "place-name"}, shortened(place.name, LONGEST_NAME));
      parts.push(text);
      return {place, text};
    });
    if (mine) parts.push(...this.draft(draft));
    if (draft?.cross && draft.cross.surface === surface) parts.push(cross(draft.cross.at));
    surface.zones.replaceChildren(...parts);
    this.put();
    this.legend(places);
  }

  shape(kind, corners, className = "") {
    const pixels = corners.map(point => this.surface.place(point));
    const texts = pixels.map(point => point.map(value => value.toFixed(1)).join(","));
    const path = `M${texts.join("L")}${kind === "zone" ? "Z" : ""}`;
    const group = draw("g", {class: `place ${kind} ${className}`});
    group.append(draw("path", {class: "casing", d: path}), draw("path", {class: "border", d: path}));
    if (kind === "line" && pixels.length === 2) {
      const arrow = forwardArrow(...pixels, Math.min(Math.max(distance(...pixels) / 4, 12), 26));
      group.append(draw("path", {class: "casing", d: arrow}), draw("path", {class: "border", d: arrow}));
    }
    return group;
  }

  draft({kind, points, closed, cursor, chosen}) {
    const shown = closed || !cursor ? points : [...points, cursor];
    const complete = closed || shown.length > 2 || kind === "line";
    const group = this.shape(complete ? kind : "line", shown, `draft${closed ? " closed" : ""}`);
    const parts = [group],
      pixels = points.map(point => this.surface.place(point));
    if (closed && kind === "zone") {
      pixels.forEach((point, index) => {
        const [x, y] = middle(point, pixels[(index + 1) % pixels.length]);
        parts.push(handle("between", index, x, y, 4));
      });
    }
    pixels.forEach(([x, y], index) => {
      const node = handle("corner", index, x, y, 7, index === chosen);
      if (closed) {
        node.setAttribute("tabindex", "0");
        node.setAttribute("role", "button");
        node.setAttribute(
          "aria-label",
          `Corner ${index + 1} of ${pixels.length}: arrow keys move it, Delete removes it`,
        );
      }
      parts.push(node);
    });
    return parts;
  }

  /** Put the names where they hide least of the people. */
  put() {
    for (const {place, text} of this.named ?? []) {
      const corners = cornersOf(place).map(point => this.surface.place(point));
      const width = Math.min(7.2 * [...text.textContent].length + 4, this.surface.size[0]);
      const at = labelPlace(corners, [width, 15], this.surface.size, this.surface.boxes, this.labels.get(place.name));
      this.labels.set(place.name, at);
      text.setAttribute("x", at[0].toFixed(1));
      text.setAttribute("y", (at[1] + 12).toFixed(1));
    }
  }

  /** What is counted, under the picture, where it covers nobody. */
  legend(places) {
    const {legend} = this.tile;
    if (legend.children.length !== places.length) {
      legend.replaceChildren(...places.map(() => make("span", {class: "chip"}, make("b"), make("span"))));
    }
    places.forEach((place, index) => {
      const chip = legend.children[index],
        [name, text] = chip.children;
      chip.className = `chip ${place.kind}`;
      setText(name, place.name);
      setText(text, countText(place.name, place.kind));
      chip.title = `${place.kind === "zone" ? "Zone" : "Line"} ${place.name}`;
    });
    legend.setAttribute("aria-label", places.length ? plural(places.length, "zone or line", "zones and lines") : "");
  }
}

function handle(kind, index, x, y, radius, chosen = false) {
  const node = draw(
    "g",
    {class: `handle ${kind}${chosen ? " chosen" : ""}`},
    draw("circle", {class: "reach", cx: x, cy: y, r: kind === "corner" ? 20 : 14}),
    draw("circle", {class: "dot", cx: x, cy: y, r: radius}),
  );
  node.dataset.kind = kind;
  node.dataset.index = String(index);
  return node;
}

function cross([x, y]) {
  return draw("path", {class: "cross", d: `M${x - 14},${y}H${x + 14}M${x},${y - 14}V${y + 14}`});
}
