/* The panel of zones and counting lines: what is counted, and drawing them. */

import {api} from "./api.js";
import {get, icon, keyed, make, setText} from "./elements.js";
import {duration} from "./format.js";
import {announce, attempt, confirmed} from "./messages.js";
import {on, state, tell} from "./state.js";
import {showViews} from "./tabs.js";
import {ZoneEditor} from "./zone_editor.js";

export class Zones {
  constructor() {
    this.editor = new ZoneEditor((kind, place, original) => this.save(kind, place, original));
    get("draw-zone").addEventListener("click", () => this.begin("zone"));
    get("draw-line").addEventListener("click", () => this.begin("line"));
    get("counts-interval").addEventListener("change", () => this.links());
    on("zones", () => this.show());
    on("counts", () => this.show());
    on("drawing-ended", () => {
      if (this.opener?.isConnected) this.opener.focus();
    });
    this.links();
  }

  async load() {
    await attempt(async () => {
      state.zones = await api.zones();
      tell("zones");
      if (this.total) {
        state.counts = await api.counts();
        tell("counts");
      }
    });
  }

  get total() {
    return state.zones.zones.length + state.zones.lines.length;
  }

  begin(kind) {
    if (!state.status?.cameras.length) {
      announce("There is no camera to draw on yet.", {bad: true});
      return;
    }
    this.opener = document.activeElement;
    this.editor.begin(kind);
    showViews();
  }

  edit(kind, place) {
    this.opener = document.activeElement;
    this.editor.edit(kind, place);
    showViews(place.camera ?? null);
  }

  /** Put a place, or what it was before, and keep all others. */
  async save(kind, place, original) {
    const others = list => list.filter(other => other.name !== original);
    const zones = {zones: others(state.zones.zones), lines: others(state.zones.lines)};
    if ([...zones.zones, ...zones.lines].some(other => other.name === place.name)) {
      throw new Error(`There is a “${place.name}” already; give another name.`);
    }
    zones[kind === "zone" ? "zones" : "lines"].push(place);
    await this.put(zones);
  }

  async put(zones) {
    state.zones = await api.saveZones(zones);
    tell("zones");
    state.counts = await api.counts();
    tell("counts");
  }

  async remove(kind, place) {
    const sure = await confirmed({
      title: `Delete ${place.name}?`,
      text: "It is counted no longer. What was stored of it so far can still be downloaded before.",
      yes: "Delete",
      danger: true,
    });
    if (!sure) return;
    const list = kind === "zone" ? "zones" : "lines";
    const zones = {...state.zones, [list]: state.zones[list].filter(other => other.name !== place.name)};
    if (await attempt(() => this.put(zones))) {
      announce(`Deleted ${place.name}.`);
      get("draw-zone").focus();
    }
  }

  show() {
    get("no-zones").hidden = this.total > 0;
    get("zone-downloads").hidden = this.total === 0;
    const rows = [
      ...state.zones.zones.map(place => ({kind: "zone", place})),
      ...state.zones.lines.map(place => ({kind: "line", place})),
    ];
    keyed(
      get("zone-list"),
      rows,
      ({kind, place}) => `${kind} ${place.name}`,
      () => this.row(),
      (node, row) => this.fill(node, row),
    );
  }

  row() {
    const parts = {
      name: make("b"),
      where: make("span", {class: "soft"}),
      figures: make("dl", {class: "figures"}),
      edit: make("button", {type: "button", class: "plain", title: "Change"}, icon("edit")),
      remove: make("button", {type: "button", class: "plain", title: "Delete"}, icon("trash")),
    };
    const node = make(
      "li",
      {class: "zone-row"},
      make(
        "div",
        {class: "zone-head"},
        make("span", {class: "kind"}),
        make("div", {class: "zone-title"}, parts.name, parts.where),
        parts.edit,
        parts.remove,
      ),
      parts.figures,
    );
    node.parts = parts;
    parts.edit.addEventListener("click", () => this.edit(node.row.kind, node.row.place));
    parts.remove.addEventListener("click", () => this.remove(node.row.kind, node.row.place));
    return node;
  }

  fill(node, row) {
    node.row = row;
    const {kind, place} = row,
      {parts} = node;
    node.querySelector(".kind").className = `kind ${kind}`;
    setText(parts.name, place.name);
    setText(parts.where, `${kind === "zone" ? "Zone" : "Line"} on ${place.camera ?? "the floor"}`);
    parts.edit.setAttribute("aria-label", `Change ${place.name}`);
    parts.remove.setAttribute("aria-label", `Delete ${place.name}`);
    const counts = (kind === "zone" ? state.counts?.zones : state.counts?.lines)?.find(
      found => found.name === place.name,
    );
    const figures =
      kind === "zone"
        ? [
            ["now", counts?.occupancy],
            ["entered", counts?.entered],
            ["left", counts?.left],
            ["mean stay", Number.isFinite(counts?.dwell_mean) ? duration(counts.dwell_mean) : null],
          ]
        : [
            ["forward", counts?.forward],
            ["back", counts?.backward],
          ];
    if (parts.figures.children.length !== figures.length) {
      parts.figures.replaceChildren(...figures.map(() => make("div", {}, make("dt"), make("dd"))));
    }
    figures.forEach(([what, value], index) => {
      const [term, figure] = parts.figures.children[index].children;
      setText(term, what);
      setText(figure, String(value ?? "–"));
    });
  }

  links() {
    get("counts-link").href = `/api/zones/counts.csv?interval=${encodeURIComponent(get("counts-interval").value)}`;
  }
}
