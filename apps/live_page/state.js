/* What the page knows, and who wants to hear of changes. */

export const state = {
  status: null, // as GET /api/status
  present: {time: 0, people: []},
  zones: {zones: [], lines: []},
  counts: null, // as GET /api/zones/counts
  names: new Map(), // identity → name, of everybody heard of so far
};

const listeners = new Map();

/** Call `action` whenever `tell(kind, …)` is called. */
export function on(kind, action) {
  if (!listeners.has(kind)) listeners.set(kind, []);
  listeners.get(kind).push(action);
}

export function tell(kind, ...values) {
  for (const action of listeners.get(kind) ?? []) action(...values);
}

/** Remember what people are called; boxes and lists carry it, events only the number. */
export function learnNames(people) {
  for (const {identity, name} of people) {
    if (name) state.names.set(identity, name);
    else state.names.delete(identity);
  }
}
