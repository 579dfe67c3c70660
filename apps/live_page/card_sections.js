/* What a person's card shows: facts, pictures, times, and the way on the floor. */

import {api, cropAddress} from "./api.js";
import {identityColor} from "./colors.js";
import {icon, make} from "./elements.js";
import {drawFloor, FloorMap} from "./floor_drawing.js";
import {ago, clock, count, duration, period, plural} from "./format.js";
import {state} from "./state.js";
import {timeline} from "./timeline.js";

const FEW_CROPS = 10;
const FEW_SIGHTINGS = 8;

/** First and last time, cameras, numbers, as a list of terms. */
export function facts(person) {
  const now = state.status?.time ?? Date.now() / 1000;
  const rows = [
    ["First seen", clock(person.first_seen)],
    ["Last seen", person.present ? "here now" : `${clock(person.last_seen)} (${ago(person.last_seen, now)})`],
    ["Cameras", person.cameras.join(", ") || "–"],
    [
      "Kept",
      [
        plural(person.sightings_total ?? person.sightings.length, "sighting"),
        plural(person.crops_total ?? person.crops.length, "picture"),
      ].join(", "),
    ],
  ];
  return make(
    "dl",
    {class: "facts"},
    ...rows.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text))),
  );
}

/** Pictures, the newest first; one of them large when it is chosen. */
export function crops(person, view) {
  const list = person.crops,
    shown = view.allCrops ? list : list.slice(0, FEW_CROPS);
  const section = make("section", {class: "card-section"}, make("h3", {}, "Pictures"));
  if (!list.length) {
    section.append(make("p", {class: "empty"}, "No picture was kept of this person."));
    return section;
  }
  const large = make("figure", {class: "large-crop", hidden: true}, make("img", {alt: ""}), make("figcaption"));
  const grid = make(
    "ul",
    {class: "crop-grid"},
    ...shown.map(crop => {
      const text = `${crop.camera}, ${clock(crop.time)}`;
      const button = make(
        "button",
        {type: "button", class: "crop-button", "aria-label": `Picture: ${text}`, "aria-pressed": "false"},
        make("img", {src: cropAddress(crop.id), alt: "", loading: "lazy", decoding: "async"}),
        make("span", {}, clock(crop.time)),
      );
      // Only the best pictures are kept: this one may have made room for a better one meanwhile.
      button.firstChild.addEventListener("error", () => button.parentElement?.remove());
      button.title = text;
      button.addEventListener("click", () => {
        const open = button.getAttribute("aria-pressed") !== "true";
        for (const other of grid.querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
        button.setAttribute("aria-pressed", String(open));
        large.hidden = !open;
        large.firstChild.src = cropAddress(crop.id);
        large.lastChild.textContent = text;
      });
      return make("li", {}, button);
    }),
  );
  section.append(grid, large);
  if (shown.length < list.length) {
    section.append(
      make(
        "button",
        {
          type: "button",
          class: "plain wide",
          onclick: () => {
            view.allCrops = true;
            view.again();
          },
        },
        `Show all ${count(list.length)}`,
      ),
    );
  }
  return section;
}

/** The timeline, and the same as a table, from which a sighting can be split off. */
export function sightings(person, view, onsplit) {
  const list = person.sightings,
    shown = view.allSightings ? list : list.slice(0, FEW_SIGHTINGS);
  const section = make("section", {class: "card-section"}, make("h3", {}, "Where and when"));
  if (!list.length) {
    section.append(make("p", {class: "empty"}, "No sighting is kept; older ones go with time."));
    return section;
  }
  const rows = new Map();
  const body = make(
    "tbody",
    {},
    ...shown.map(sighting => {
      const text = period(sighting.start, sighting.end);
      const row = make(
        "tr",
        {},
        make("td", {}, sighting.camera),
        make("td", {}, text),
        make("td", {class: "number"}, duration(sighting.end - sighting.start)),
        make(
          "td",
          {},
          make(
            "button",
            {
              type: "button",
              class: "plain",
              "aria-label": `Split off: ${sighting.camera}, ${text} is somebody else`,
              title: "This is somebody else",
              onclick: () => onsplit(sighting),
            },
            icon("split"),
          ),
        ),
      );
      rows.set(sighting, row);
      return row;
    }),
  );
  section.append(
    timeline(person.identity, list, sighting => {
      if (!rows.has(sighting)) {
        view.allSightings = true;
        view.again();
        return;
      }
      for (const row of rows.values()) row.classList.remove("chosen");
      rows.get(sighting).classList.add("chosen");
      rows.get(sighting).scrollIntoView({block: "nearest"});
    }),
  );
  section.append(
    make(
      "div",
      {class: "scroll"},
      make(
        "table",
        {class: "sightings"},
        make(
          "thead",
          {},
          make("tr", {}, ...["Camera", "Time", "Length", ""].map(text => make("th", {scope: "col"}, text))),
        ),
        body,
      ),
    ),
  );
  if (shown.length < list.length) {
    section.append(
      make(
        "button",
        {
          type: "button",
          class: "plain wide",
          onclick: () => {
            view.allSightings = true;
            view.again();
          },
        },
        `Show all ${count(list.length)}`,
      ),
    );
  }
  return section;
}

const HOURS = [
  [1, "1 hour"],
  [24, "1 day"],
  [168, "1 week"],
  [720, "30 days"],
];

/** The way on the floor, where cameras are calibrated; `null` otherwise. */
export function path(person, view) {
  if (!state.status?.floor) return null;
  const choice = make(
    "select",
    {"aria-label": "Time to look back"},
    ...HOURS.map(([hours, text]) => make("option", {value: hours, selected: hours === view.hours}, text)),
  );
  const canvas = make("canvas", {class: "path", role: "img"}),
    said = make("p", {class: "empty", hidden: true});
  const section = make(
    "section",
    {class: "card-section"},
    make("div", {class: "section-head"}, make("h3", {}, "Way on the floor"), choice),
    canvas,
    said,
  );
  choice.addEventListener("change", () => {
    view.hours = Number(choice.value);
    load();
  });
  async function load() {
    let points = [];
    try {
      ({points} = await api.path(person.identity, view.hours));
    } catch (error) {
      said.textContent = error.message;
      said.hidden = false;
      return;
    }
    said.hidden = points.length > 0;
    said.textContent = "Not seen on the floor in this time.";
    canvas.hidden = points.length === 0;
    canvas.setAttribute(
      "aria-label",
      `The way of the last ${choice.selectedOptions[0].textContent}, ${plural(points.length, "point")}`,
    );
    drawPath(canvas, person.identity, points);
    view.redrawPath = () => drawPath(canvas, person.identity, points);
  }
  load();
  return section;
}

const JUMP_SECONDS = 5;

function drawPath(canvas, identity, points) {
  const {floor} = state.status ?? {};
  if (!canvas.isConnected || !floor || canvas.hidden) return;
  const width = canvas.clientWidth,
    [x1, y1, x2, y2] = floor.bounds;
  const height = Math.min(Math.max((width * (y2 - y1)) / Math.max(x2 - x1, 0.1), 120), 300);
  const density = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d"),
    map = new FloorMap(floor.bounds, [width, height]);
  context.scale(density, density);
  drawFloor(context, map, floor);
  context.lineCap = context.lineJoin = "round";
  for (const [color, line] of [
    ["rgb(18 20 24)", 4.5],
    [identityColor(identity), 2.5],
  ]) {
    context.strokeStyle = color;
    context.lineWidth = line;
    context.beginPath();
    points.forEach(([time, ...place], index) => {
      const joined =
        index > 0 &&
        time - points[index - 1][0] < Math.max(JUMP_SECONDS, (3 * (points.at(-1)[0] - points[0][0])) / points.length);
      context[joined ? "lineTo" : "moveTo"](...map.place(place));
    });
    context.stroke();
  }
  const [, ...last] = points.at(-1);
  context.beginPath();
  context.arc(...map.place(last), 6, 0, 2 * Math.PI);
  context.fillStyle = identityColor(identity);
  context.fill();
  context.strokeStyle = "rgb(18 20 24)";
  context.lineWidth = 2;
  context.stroke();
}
