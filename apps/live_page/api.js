/* Requests to the server. What goes wrong is an Error with one line that can be shown. */

async function ask(path, {method = "GET", body, headers = {}} = {}) {
  const options = {method, headers: {...headers}, cache: "no-store"};
  if (method !== "GET") options.headers["X-Requested-With"] = "multicam";
  if (body instanceof Blob) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Is multicam live still running?");
  }
  // The page at this address asks for the token then.
  if (answer.status === 401) location.reload();
  if (answer.status === 204) return null;
  let content = null;
  try {
    content = await answer.json();
  } catch {
    /* said below */
  }
  if (!answer.ok || content === null) {
    const detail =
      content && typeof content.detail === "string" ? content.detail : `The server answered ${answer.status}.`;
    throw Object.assign(new Error(detail), {status: answer.status});
  }
  return content;
}

const query = values =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== undefined));

export const api = {
  status: () => ask("/api/status"),
  present: () => ask("/api/present"),
  people: values => ask(`/api/people?${query(values)}`),
  person: identity => ask(`/api/people/${identity}`),
  path: (identity, hours) => ask(`/api/people/${identity}/path?${query({hours})}`),
  rename: (identity, name) => ask(`/api/people/${identity}`, {method: "PATCH", body: {name}}),
  merge: (identity, into) => ask(`/api/people/${identity}/merge`, {method: "POST", body: {into}}),
  split: (identity, {camera, start, end}) =>
    ask(`/api/people/${identity}/split`, {method: "POST", body: {camera, start, end}}),
  erase: identity => ask(`/api/people/${identity}`, {method: "DELETE"}),
  search: (photo, detect) =>
    ask(`/api/search?${query({top: 10, detect})}`, {
      method: "POST",
      body: photo,
      headers: {"Content-Type": photo.type},
    }),
  zones: () => ask("/api/zones"),
  saveZones: document => ask("/api/zones", {method: "PUT", body: document}),
  counts: () => ask("/api/zones/counts"),
  events: limit => ask(`/api/events?${query({limit})}`),
};

export const cropAddress = id => `/api/crops/${encodeURIComponent(id)}.jpg`;
