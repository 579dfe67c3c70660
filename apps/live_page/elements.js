/* Making elements. Whatever comes from the server becomes text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; functions among the attributes (`onclick`) become listeners, strings among the children text. */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** One of the icons that index.html defines, for those who see; a name beside it is for everybody. */
export function icon(name) {
  return draw("svg", {class: "icon", "aria-hidden": "true"}, draw("use", {href: `#icon-${name}`}));
}

export const get = id => document.getElementById(id);

/** Set a text only where it changed, so that screen readers and selections are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Make the children of a list those of `items`, in order, and keep the elements of those that stay: focus and loaded
 * pictures survive.
 */
export function keyed(list, items, key, create, update) {
  const kept = list.keyedNodes ?? new Map(),
    next = new Map();
  for (const item of items) {
    const id = key(item);
    const node = kept.get(id) ?? create(item);
    update(node, item);
    next.set(id, node);
  }
  for (const [id, node] of kept) if (!next.has(id)) node.remove();
  let place = list.firstElementChild;
  for (const node of next.values()) {
    if (node === place) place = place.nextElementSibling;
    else list.insertBefore(node, place);
  }
  list.keyedNodes = next;
}

/** A function that runs once, `pause` milliseconds after the last call. */
export function later(pause, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), pause);
  };
}
