/* Points, polygons and rectangles in pixels. */

export function distance([x1, y1], [x2, y2]) {
  return Math.hypot(x2 - x1, y2 - y1);
}

export function middle([x1, y1], [x2, y2]) {
  return [(x1 + x2) / 2, (y1 + y2) / 2];
}

/** The area that two rectangles `[x1, y1, x2, y2]` share. */
export function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return width > 0 && height > 0 ? width * height : 0;
}

/** An arrow across the middle of a line, to the right of who looks along it: forward. Length in pixels. */
export function forwardArrow(from, to, length) {
  const [x, y] = middle(from, to),
    long = Math.max(distance(from, to), 1e-9);
  // y grows downwards here, so the right hand of (dx, dy) is (−dy, dx).
  const across = [-(to[1] - from[1]) / long, (to[0] - from[0]) / long],
    along = [across[1], -across[0]];
  const tip = [x + length * across[0], y + length * across[1]],
    head = 0.38 * length;
  const wing = side => [
    tip[0] - head * across[0] + side * 0.7 * head * along[0],
    tip[1] - head * across[1] + side * 0.7 * head * along[1],
  ];
  const text = point => point.map(value => value.toFixed(1)).join(",");
  return `M${text([x, y])}L${text(tip)}M${text(wing(1))}L${text(tip)}L${text(wing(-1))}`;
}

/** Where a label of a given size hides least of the people: beside one of the points, rather where it is already. */
export function labelPlace(points, [width, height], [right, bottom], people, before) {
  let best = null;
  for (const [x, y] of points) {
    for (const [left, top] of [
      [x + 6, y + 4],
      [x + 6, y - height - 4],
      [x - width - 6, y + 4],
      [x - width - 6, y - height - 4],
    ]) {
      const place = [
        Math.min(Math.max(left, 2), Math.max(right - width - 2, 2)),
        Math.min(Math.max(top, 2), Math.max(bottom - height - 2, 2)),
      ];
      const rectangle = [place[0], place[1], place[0] + width, place[1] + height];
      let cost = people.reduce((sum, box) => sum + overlap(rectangle, box), 0);
      cost += 0.2 * distance(place, [left, top]);
      if (before && distance(before, place) < 8) cost -= 0.15 * width * height;
      if (best === null || cost < best.cost) best = {cost, place};
    }
  }
  return best.place;
}
