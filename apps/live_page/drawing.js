/* Boxes and name tags on a canvas. */

import {identityColor, textOn} from "./colors.js";
import {label, shortened} from "./format.js";
import {overlap} from "./shapes.js";

const CASING = "rgb(18 20 24 / 75%)";
const LONGEST_LABEL = 16;

/** The height in pixels of letters of tags in a surface that is `width` pixels wide. */
function letterHeight(width) {
  return Math.min(Math.max(Math.round(width / 38), 11), 16);
}

/** Draw people's boxes `{identity, name, box}`, those in front last, and their tags over all boxes. */
export function drawPeople(context, people, size) {
  const ordered = [...people].sort((one, other) => one.box[3] - other.box[3]);
  for (const {
    identity,
    box: [x1, y1, x2, y2],
  } of ordered) {
    context.setLineDash(identity ? [] : [5, 4]);
    for (const [color, width] of [
      [CASING, identity ? 4.5 : 3],
      [identityColor(identity), identity ? 2.5 : 1.5],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
  }
  context.setLineDash([]);
  const taken = [],
    letters = letterHeight(size[0]);
  for (const {identity, name, box} of ordered.reverse()) {
    if (identity) drawTag(context, {identity, name, left: box[0] - 1, bottom: box[1], letters}, size, taken);
  }
}

/**
 * Draw a tag `{identity, name, left, bottom, letters}`, moved where it would leave the surface or cover one of the
 * rectangles in `taken`, to which it is added.
 */
export function drawTag(context, {identity, name, left, bottom, letters}, [width, height], taken) {
  const text = shortened(label(identity, name), LONGEST_LABEL);
  context.font = `600 ${letters}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 0.8 * letters,
    high = 1.45 * letters;
  const x = Math.min(Math.max(left, 1), Math.max(width - wide - 1, 1));
  let y = Math.min(Math.max(bottom - high, 1), Math.max(height - high - 1, 1));
  // Under the tags that it would cover; a few steps are enough, in a crowd tags overlap.
  for (let turn = 0; turn < 4; turn += 1) {
    const hit = taken.find(other => overlap(other, [x, y, x + wide, y + high]) > 0);
    if (!hit || hit[3] + 1 + high > height) break;
    y = hit[3] + 1;
  }
  taken.push([x, y, x + wide, y + high]);
  context.fillStyle = identityColor(identity);
  context.strokeStyle = CASING;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x, y, wide, high, 3);
  context.fill();
  context.stroke();
  context.fillStyle = textOn(identity);
  context.textBaseline = "middle";
  context.fillText(text, x + 0.4 * letters, y + high / 2 + 0.5);
}
