/* When somebody was in which camera. */

import {identityColor} from "./colors.js";
import {draw, make} from "./elements.js";
import {clock, duration, period, shortened} from "./format.js";

const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];
const NAMES = 92;
const WIDTH = 560;
const LANE = 26;
const LEAST_BAR = 3;
/** Absences longer than this share of what is shown are cut to it: a person may come back after weeks. */
const LONGEST_GAP = 0.06;

/**
 * Fold long absences: a function from time to 0…1, and the stretches that are drawn to scale.
 *
 * @returns {{place: (time: number) => number, stretches: [number, number][]}}
 */
export function foldedScale(sightings) {
  const sorted = [...sightings].sort((one, other) => one.start - other.start);
  const stretches = [];
  const present = sorted.reduce((sum, {start, end}) => sum + end - start, 0);
  const long = Math.max(3 * present, 60);
  for (const {start, end} of sorted) {
    const last = stretches.at(-1);
    if (last && start - last[1] <= long) last[1] = Math.max(last[1], end);
    else stretches.push([start, end]);
  }
  const total = Math.max(
    stretches.reduce((sum, [start, end]) => sum + Math.max(end - start, 1), 0),
    1,
  );
  const gaps = Math.min(LONGEST_GAP * (stretches.length - 1), 0.5);
  const gap = stretches.length > 1 ? gaps / (stretches.length - 1) : 0;
  const begins = [];
  let at = 0;
  for (const [start, end] of stretches) {
    begins.push(at);
    at += ((1 - gaps) * Math.max(end - start, 1)) / total + gap;
  }
  const place = time => {
    let index = stretches.findLastIndex(([start]) => time >= start);
    if (index < 0) index = 0;
    const [start, end] = stretches[index],
      share = ((1 - gaps) * Math.max(end - start, 1)) / total;
    return begins[index] + share * Math.min(Math.max((time - start) / Math.max(end - start, 1), 0), 1);
  };
  return {place, stretches};
}

/** The timeline as a figure; `onchoose(sighting)` when a bar is clicked. The table beside it says the same as text. */
export function timeline(identity, sightings, onchoose) {
  const cameras = [...new Set(sightings.map(sighting => sighting.camera))].sort();
  const {place, stretches} = foldedScale(sightings);
  const height = LANE * cameras.length + 24,
    span = WIDTH - NAMES - 8;
  const x = time => NAMES + span * place(time);
  const svg = draw("svg", {
    class: "timeline",
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: "img",
    "aria-label": `Timeline: ${cameras.length} cameras, ${sightings.length} sightings. The table below has the times.`,
  });
  cameras.forEach((camera, lane) => {
    svg.append(
      draw("rect", {class: "lane", x: NAMES, y: LANE * lane + 3, width: span, height: LANE - 6, rx: 3}),
      draw(
        "text",
        {class: "lane-name", x: NAMES - 8, y: LANE * lane + LANE / 2 + 4},
        shortened(camera, 13),
        draw("title", {}, camera),
      ),
    );
  });
  for (const sighting of sightings) {
    const lane = cameras.indexOf(sighting.camera),
      left = x(sighting.start);
    const bar = draw(
      "rect",
      {
        class: "bar",
        x: left.toFixed(1),
        y: LANE * lane + 5,
        rx: 2,
        height: LANE - 10,
        width: Math.max(x(sighting.end) - left, LEAST_BAR).toFixed(1),
        fill: identityColor(identity),
      },
      draw(
        "title",
        {},
        `${sighting.camera}, ${period(sighting.start, sighting.end)} (${duration(sighting.end - sighting.start)})`,
      ),
    );
    bar.addEventListener("click", () => onchoose(sighting));
    svg.append(bar);
  }
  stretches.slice(1).forEach(([start], index) => {
    const at = (x(stretches[index][1]) + x(start)) / 2;
    svg.append(
      draw(
        "path",
        {class: "fold", d: `M${at - 3},2L${at + 2},${height - 22}M${at + 1},2L${at + 6},${height - 22}`},
        draw("title", {}, `${duration(start - stretches[index][1])} not seen`),
      ),
    );
  });
  svg.append(...ticks(stretches, x, height));
  return make("figure", {class: "timeline-figure"}, svg);
}

function ticks(stretches, x, height) {
  const made = [];
  let free = -Infinity;
  for (const [start, end] of stretches) {
    const pixels = Math.max(x(end) - x(start), 1),
      step = STEPS.find(length => (length * pixels) / Math.max(end - start, 1) >= 70) ?? STEPS.at(-1);
    const times = [];
    for (let time = Math.ceil(start / step) * step; time <= end; time += step) times.push(time);
    if (!times.length) times.push(start);
    for (const time of times) {
      const at = x(time),
        text = clock(time, {seconds: step < 60}),
        wide = 6.4 * text.length;
      if (at - wide / 2 < free || at + wide / 2 > WIDTH + 4) continue;
      free = at + wide / 2 + 10;
      made.push(
        draw("path", {class: "tick", d: `M${at.toFixed(1)},${height - 22}v4`}),
        draw("text", {class: "tick-text", x: at.toFixed(1), y: height - 5}, text),
      );
    }
  }
  return made;
}
