/* Colours of identities, the same as in the videos of multicam track, and colours of the theme for canvases. */

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
// Neighbouring identities differ in lightness too, for those who do not see all hues.
const LIGHTNESS_AND_CHROMA = [
  [0.74, 0.17],
  [0.62, 0.22],
  [0.84, 0.16],
];
const NOBODY = [170, 170, 170];
const known = new Map();

function linear(lightness, a, b) {
  const cone = [
    lightness + 0.3963377774 * a + 0.2158037573 * b,
    lightness - 0.1055613458 * a - 0.0638541728 * b,
    lightness - 0.0894841775 * a - 1.291485548 * b,
  ].map(value => value ** 3);
  return [
    4.0767416621 * cone[0] - 3.3077115913 * cone[1] + 0.2309699292 * cone[2],
    -1.2684380046 * cone[0] + 2.6097574011 * cone[1] - 0.3413193965 * cone[2],
    -0.0041960863 * cone[0] - 0.7034186147 * cone[1] + 1.707614701 * cone[2],
  ];
}

function channels(identity) {
  if (identity < 1) return NOBODY;
  if (known.has(identity)) return known.get(identity);
  const [lightness, most] = LIGHTNESS_AND_CHROMA[identity % LIGHTNESS_AND_CHROMA.length];
  const hue = 0.5 + identity * GOLDEN_ANGLE;
  let chroma = most,
    color;
  for (;;) {
    color = linear(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
    if (chroma <= 0 || color.every(value => value >= 0 && value <= 1)) break;
    chroma -= 0.005;
  }
  const encoded = color
    .map(value => Math.min(Math.max(value, 0), 1))
    .map(value => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055))
    .map(value => Math.round(255 * value));
  if (known.size > 4096) known.clear();
  known.set(identity, encoded);
  return encoded;
}

/** The colour of an identity as CSS; grey for 0, who is not yet identified. */
export function identityColor(identity) {
  return `rgb(${channels(identity).join(" ")})`;
}

/** Black or white, whichever is read better on an identity's colour: at least 4.58 : 1 (luminance as in WCAG 2.2). */
export function textOn(identity) {
  const [red, green, blue] = channels(identity)
    .map(value => value / 255)
    .map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? "#000" : "#fff";
}

/** Show an element in an identity's colour. */
export function paint(node, identity) {
  node.style.backgroundColor = identityColor(identity);
  node.style.color = textOn(identity);
}

const theme = new Map();
let probe = null;

/**
 * A custom property of the theme as a colour that a canvas takes.
 *
 * The property's text may be `light-dark(…)`, which a canvas refuses silently; the colour that an element gets from
 * it is always plain.
 */
export function themeColor(property) {
  if (!theme.has(property)) {
    if (probe === null) {
      probe = document.createElement("span");
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(${property})`;
    theme.set(property, getComputedStyle(probe).color);
  }
  return theme.get(property);
}

/** To be called when the theme changed. */
export function forgetTheme() {
  theme.clear();
}
