/* Who is this? A photo is dropped, chosen or pasted, and those who look most like it are listed. */

import {api} from "./api.js";
import {get, make, setText} from "./elements.js";
import {ago, decimal, fullLabel, plural} from "./format.js";
import {cropImage, pill} from "./person_rows.js";
import {learnNames, state} from "./state.js";
import {showTab} from "./tabs.js";

const TYPES = ["image/jpeg", "image/png", "image/webp"];
const MOST_BYTES = 10_000_000;
const MOST_SIDE = 2400;

export class PhotoSearch {
  constructor() {
    this.photo = null;
    this.turn = 0;
    const zone = get("drop-zone"),
      input = get("photo-input");
    input.addEventListener("change", () => {
      this.take(input.files[0]);
      input.value = "";
    });
    get("photo-detect").addEventListener("change", () => {
      if (this.photo) this.search();
    });
    // A photo may be dropped anywhere on the page, which then shows where it goes.
    let depth = 0;
    const holdsFiles = event => [...(event.dataTransfer?.types ?? [])].includes("Files");
    document.addEventListener("dragenter", event => {
      if (!holdsFiles(event)) return;
      depth += 1;
      showTab("search");
      zone.classList.add("over");
    });
    document.addEventListener("dragleave", event => {
      if (holdsFiles(event) && --depth <= 0) {
        depth = 0;
        zone.classList.remove("over");
      }
    });
    document.addEventListener("dragover", event => {
      if (holdsFiles(event)) event.preventDefault();
    });
    document.addEventListener("drop", event => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      depth = 0;
      zone.classList.remove("over");
      this.take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", event => {
      const file = [...(event.clipboardData?.files ?? [])].find(found => found.type.startsWith("image/"));
      if (!file || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      this.take(file);
    });
  }

  async take(file) {
    if (!file) return;
    showTab("search");
    this.show(file);
    try {
      this.photo = await uploadable(file);
    } catch (error) {
      this.photo = null;
      this.say(error.message, true);
      return;
    }
    await this.search();
  }

  show(file) {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.failed = false;
    const image = make("img", {src: this.address, alt: "The photo that is searched for"});
    image.addEventListener("error", () => {
      image.hidden = true;
    });
    get("photo-preview").replaceChildren(image);
    get("photo-preview").hidden = false;
  }

  say(text, bad = false) {
    setText(get("search-said"), text);
    get("search-said").classList.toggle("error", bad);
    get("search-answers").replaceChildren();
  }

  async search() {
    const turn = ++this.turn,
      detect = get("photo-detect").checked;
    this.say("Searching …");
    let answer;
    try {
      answer = await api.search(this.photo, detect);
    } catch (error) {
      if (turn === this.turn) this.say(error.message, true);
      return;
    }
    if (turn === this.turn) this.showAnswers(answer, detect);
  }

  showAnswers({persons}, detect) {
    for (const {answers} of persons) learnNames(answers.filter(answer => answer.name));
    const found = persons.reduce((sum, person) => sum + person.answers.length, 0);
    if (!persons.length) {
      this.say(
        detect ? "No person was found in the photo. Try it as a crop of one person: untick the box." : "No answer.",
      );
      return;
    }
    if (!found) {
      this.say("Nobody is known yet to compare with.");
      return;
    }
    this.say(
      persons.length === 1
        ? `${plural(found, "person", "people")}, the most alike first.`
        : `${persons.length} people in the photo.`,
    );
    get("search-answers").replaceChildren(
      ...persons.map((person, index) => this.answers(person, index, persons.length > 1)),
    );
  }

  answers({box, answers}, index, several) {
    const list = make("ol", {class: "answers"}, ...answers.map((answer, place) => answerRow(answer, place)));
    if (!several) return list;
    const size = `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])} pixels`;
    return make("section", {}, make("h3", {}, `Person ${index + 1}`, make("span", {class: "soft"}, ` ${size}`)), list);
  }
}

function answerRow(answer, place) {
  const who = fullLabel(answer.identity, answer.name),
    score = decimal(answer.score, 2);
  const said = `Rank ${place + 1}: ${who}, score ${score}, ${answer.camera}`;
  const now = state.status?.time ?? Date.now() / 1000;
  const meter = make("span", {class: "meter", "aria-hidden": "true"}, make("span"));
  meter.firstChild.style.width = `${100 * Math.min(Math.max(answer.score, 0), 1)}%`;
  return make(
    "li",
    {},
    make(
      "a",
      {
        class: "person-row",
        href: `#person-${answer.identity}`,
        "aria-label": said,
      },
      make("span", {class: "rank"}, String(place + 1)),
      cropImage(answer.crop),
      make(
        "span",
        {class: "person-text"},
        make(
          "span",
          {class: "person-name"},
          pill(answer.identity),
          make("span", {class: answer.name ? "name" : "name unnamed"}, answer.name ?? "no name yet"),
        ),
        make("span", {class: "soft"}, `${answer.camera}, ${ago(answer.time, now)}`),
        make("span", {class: "score"}, meter, make("span", {}, decimal(answer.score, 2))),
      ),
    ),
  );
}

/** The photo as the server takes it: large or unusual ones are made smaller here. */
async function uploadable(file) {
  if (TYPES.includes(file.type) && file.size <= MOST_BYTES) return file;
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "This"} is not a picture that this browser can read; give a JPEG, PNG or WebP.`);
  }
  const scale = Math.min(1, MOST_SIDE / Math.max(image.width, image.height));
  const canvas = make("canvas", {
    width: Math.max(Math.round(scale * image.width), 1),
    height: Math.max(Math.round(scale * image.height), 1),
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return new Promise(resolve => {
    canvas.toBlob(resolve, "image/jpeg", 0.92);
  });
}
