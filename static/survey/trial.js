// One trial: paint, clock, input. Times are in ms on the clock of performance.now().

const IGNORE_MS = 200; // nobody has seen the stimuli so early
const FAST_MS = 300; // hardly enough to see two pictures and to choose
const DOUBLE_MS = 300; // the second half of a double click on the trial before
const FIXATION_MS = 500; // before a limited exposure; without a limit there is nothing to prepare for
const CAPTION_REM = 2.25;
const PADDING_PX = 8;

const $ = (id) => document.getElementById(id);
const frames = () => new Promise(requestAnimationFrame);
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

let frameMs = null;

/** Learn the display's frame interval; takes less than a second, at the start of a block. */
export async function measureFrame() {
  const times = [];
  for (let i = 0; i <= 40; i++) times.push(await frames());
  frameMs = median(times.slice(1).map((time, i) => time - times[i]));
}

// --- attention and pointer: heard during the whole run -----------------------------------------

let lostSince = null;
let lostMs = 0;
let press = { at: 0, device: "mouse" };

function look() {
  const lost = document.hidden || !document.hasFocus();
  if (lost && lostSince === null) lostSince = performance.now();
  if (!lost && lostSince !== null) {
    lostMs += performance.now() - lostSince;
    lostSince = null;
  }
}

for (const name of ["blur", "focus"]) addEventListener(name, look);
document.addEventListener("visibilitychange", look);
document.addEventListener(
  "pointerdown",
  (event) => (press = { at: event.timeStamp, device: event.pointerType || "mouse" }),
  true,
);

// --- input -------------------------------------------------------------------------------------

function keyName(event) {
  // Japanese input methods swallow `key`; where it is a letter or digit, it is what is printed.
  const printed = /^([a-z0-9]|Arrow.*| |Enter)$/i.test(event.key);
  return (printed ? event.key : event.code.replace(/^(Key|Digit|Numpad)/, "")).toLowerCase();
}

/** Wait for one of the options: {value, element, keys}. Resolves with {value, at, device}. */
export function pick(options, earliest = 0) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const choose = (value, at, device) => {
      if (at < earliest) return;
      listening.abort();
      resolve({ value, at, device });
    };
    const { signal } = listening;
    for (const { value, element } of options) {
      const clicked = (event) => {
        if (event.detail === 0) return choose(value, event.timeStamp, "keyboard");
        if (event.detail > 1 && press.at < earliest + DOUBLE_MS - IGNORE_MS) return;
        choose(value, press.at, press.device);
      };
      element.addEventListener("click", clicked, { signal });
    }
    const pressed = (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const key = keyName(event);
      // In the head Space and Enter work what has the focus; every other key is for the trial.
      const working = [" ", "enter"].includes(key) && event.target.closest("a, .head");
      if (working || (event.target.matches("input") && key !== "enter")) return;
      const focused = options.find(({ element }) => element === event.target);
      if (focused && [" ", "enter"].includes(key) && !focused.keys?.includes(key)) return;
      const option = options.find(({ keys }) => keys?.includes(key));
      if (!option || option.element.disabled || option.element.closest("[hidden]")) return;
      event.preventDefault();
      choose(option.value, event.timeStamp, "keyboard");
    };
    document.addEventListener("keydown", pressed, { signal });
  });
}

const numbered = (element, value, index) => ({
  value,
  element,
  keys: index < 10 ? [String((index + 1) % 10)] : [],
});

// --- layout ------------------------------------------------------------------------------------

const LAYOUTS = [
  { name: "side_by_side", columns: 2, rows: 1, beside: false, gap: 24 },
  { name: "stacked", columns: 1, rows: 2, beside: false, gap: 8 },
  { name: "stacked", columns: 1, rows: 2, beside: true, gap: 8 },
];
const ALONE = [{ name: "", columns: 1, rows: 1, beside: false, gap: 0 }];

let layout = LAYOUTS[0];
let current = null;

/** The width that one picture may have in a layout. */
function widthIn({ columns, rows, beside, gap }, room, ratio, caption) {
  const across = (room.clientWidth - (columns - 1) * gap) / columns - PADDING_PX;
  const down = (room.clientHeight - (rows - 1) * gap) / rows - PADDING_PX;
  return Math.min(across - (beside ? caption : 0), (down - (beside ? 0 : caption)) * ratio);
}

/** Make the pictures as large as the window allows: whole pixels of the display, both the same. */
function fit() {
  if (!current) return;
  const { frame, ratio, captioned } = current;
  const room = $("room");
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const caption = captioned ? CAPTION_REM * rem : 0;
  const snap = (value) => Math.floor(value * devicePixelRatio) / devicePixelRatio;
  room.style.height = "";
  room.classList.add("measuring");
  const layouts = frame.id === "pair" ? LAYOUTS : ALONE;
  const widths = layouts.map((one) => widthIn(one, room, ratio, caption));
  const best = widths.indexOf(Math.max(...widths));
  layout = layouts[best];
  const width = snap(Math.max(widths[best], 80));
  frame.style.setProperty("--w", `${width}px`);
  frame.style.setProperty("--h", `${snap(width / ratio)}px`);
  frame.className = `frame ${layout.name}`;
  $("stage").classList.toggle("beside", layout.beside);
  frame.style.marginLeft = `${snap((room.clientWidth - frame.offsetWidth) / 2)}px`;
  room.classList.remove("measuring");
  room.style.height = `${frame.offsetHeight}px`;
}

addEventListener("resize", fit);

// --- stage -------------------------------------------------------------------------------------

const showPanel = (id) =>
  document.querySelectorAll(".panel").forEach((panel) => panel.classList.toggle("open", panel.id === id));

function button(label, index) {
  const element = document.createElement("button");
  element.type = "button";
  element.append(label);
  if (index < 10 && String(label) !== String(index + 1)) {
    const key = document.createElement("kbd");
    key.setAttribute("aria-hidden", "true");
    key.append(String((index + 1) % 10));
    element.append(" ", key);
  }
  return element;
}

/** Fill a row with buttons and return them as options. */
function row(container, items) {
  const options = items.map(({ value, label }, i) => numbered(button(label, i), value, i));
  container.replaceChildren(...options.map((option) => option.element));
  return options;
}

const isPair = (block) => block.task.endsWith("_pair");

let blockOptions = {};

/** Prepare the stage for a block: everything that stays the same from trial to trial. */
export function setBlock(block) {
  const pair = isPair(block);
  $("prompt").textContent = block.prompt;
  $("hint").textContent = block.hint;
  $("hint").hidden = !block.hint;
  $("pair").hidden = !pair;
  $("single").hidden = pair;
  $("tie-row").hidden = !block.ties;
  $("real-or-ai").hidden = block.task !== "detect_single";
  $("rating").hidden = !block.scale;
  $("confidence").hidden = !block.confidence;
  $("reason").hidden = block.reasons.length === 0;
  blockOptions = {
    choice: choiceOptions(block),
    confidence: block.confidence && confidenceOptions(block.confidence),
    reason: [
      ...row($("reason").querySelector("span.buttons"), block.reasons.map(({ code, label }) => ({ value: code, label }))),
      { value: null, element: $("no-reason"), keys: ["0"] },
    ],
  };
}

function choiceOptions(block) {
  if (block.scale) return ratingOptions(block.scale);
  if (!isPair(block)) {
    return [
      { value: "real", element: $("real"), keys: ["f", "arrowleft"] },
      { value: "ai", element: $("ai"), keys: ["j", "arrowright"] },
    ];
  }
  const options = [
    { value: "left", element: $("left"), keys: ["f", "a", "arrowleft", "arrowup"] },
    { value: "right", element: $("right"), keys: ["j", "b", "arrowright", "arrowdown"] },
  ];
  return block.ties ? [...options, { value: "tie", element: $("tie"), keys: ["g"] }] : options;
}

function ratingOptions({ steps, labels, low, high }) {
  const [first, last] = $("rating").querySelectorAll(".end");
  first.textContent = low;
  last.textContent = high;
  const items = Array.from({ length: steps }, (_, i) => ({ value: i + 1, label: labels[i] ?? String(i + 1) }));
  return row($("rating").querySelector(".buttons"), items);
}

function confidenceOptions({ prompt, slider, steps, low, high }) {
  const panel = $("confidence");
  $("confidence-prompt").textContent = prompt;
  panel.querySelector(".slider").hidden = !slider;
  const [first, last] = panel.querySelectorAll(".slider .quiet");
  first.textContent = low;
  last.textContent = high;
  return row(panel.querySelector(".buttons"), slider ? [] : steps);
}

/** Put the next stimuli on the stage, still invisible, with the fixation mark. */
function arrange(trial, block, images) {
  const frame = isPair(block) ? $("pair") : $("single");
  $("stage").classList.add("waiting");
  $("stage").querySelectorAll(".chosen").forEach((element) => mark(element, false));
  frame.querySelectorAll(".picture").forEach((picture, i) => picture.replaceChildren(images[i]));
  frame.querySelectorAll(".told").forEach((told, i) => (told.textContent = trial.labels?.[i] ?? ""));
  $("answer").hidden = !trial.wait_feedback;
  showPanel("");
  current = {
    frame,
    ratio: images[0].naturalWidth / images[0].naturalHeight,
    captioned: isPair(block) || trial.labels !== null,
  };
  fit();
  $("prompt").focus({ preventScroll: true });
}

/** Show all stimuli in one paint. Resolves with the time of the frame that shows them. */
async function paint(fixationMs) {
  const begun = await frames();
  for (let now = begun; now - begun < fixationMs; ) now = await frames();
  $("stage").classList.remove("waiting");
  // What is changed in one frame is seen when the next one begins.
  showPanel("choice");
  return frames();
}

function mask() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [96, 72];
  const context = canvas.getContext("2d");
  const noise = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < noise.data.length; i += 4) {
    noise.data.fill(64 + 128 * Math.random(), i, i + 3);
    noise.data[i + 3] = 255;
  }
  context.putImageData(noise, 0, 0);
  return canvas;
}

/** End an exposure with masks, or without them at the response. Resolves with the real duration. */
async function expose(exposureMs, onset, masks, responded) {
  const interval = frameMs ?? 1000 / 60;
  let now = onset;
  // What is changed in one frame is seen in the next.
  while (now - onset < exposureMs - 1.5 * interval && !responded.aborted) now = await frames();
  if (responded.aborted) return now - onset;
  masks.forEach((canvas, picture) => picture.replaceChildren(canvas));
  return (await frames()) - onset;
}

function mark(element, chosen) {
  element.classList.toggle("chosen", chosen);
  element.classList.remove("wrong");
  if (chosen) element.setAttribute("aria-pressed", "true");
  else element.removeAttribute("aria-pressed");
}

async function askConfidence(confidence) {
  showPanel("confidence");
  if (confidence.slider) return slide();
  $("confidence").focus({ preventScroll: true });
  return (await pick(blockOptions.confidence)).value;
}

/** A slider without a value until it is touched. */
async function slide() {
  const [input, send] = $("confidence").querySelectorAll("input, .slider button");
  input.value = 50;
  input.className = "untouched";
  send.disabled = true;
  const touched = () => {
    input.className = "";
    send.disabled = false;
  };
  for (const name of ["input", "pointerdown"]) input.addEventListener(name, touched, { once: true });
  input.focus({ preventScroll: true });
  await pick([{ value: true, element: send, keys: ["enter"] }]);
  return input.value / 100;
}

/** Names for what may speak against a response; it counts all the same. */
function noticed(rtMs, awayMs) {
  const flags = { fast: rtMs < FAST_MS, focus_lost: awayMs > 0, webdriver: navigator.webdriver === true };
  return Object.keys(flags).filter((name) => flags[name]);
}

/** Run one trial. Resolves with its response and all that was measured. */
export async function present(trial, block, { images, loadedMs }) {
  arrange(trial, block, images);
  const pictures = trial.exposure_ms ? [...current.frame.querySelectorAll(".picture")] : [];
  const masks = new Map(pictures.map((picture) => [picture, mask()])); // before the clock starts
  const onset = await paint(trial.exposure_ms ? FIXATION_MS : 0);
  [lostMs, lostSince] = [0, null];
  look();
  const over = new AbortController();
  const exposure = trial.exposure_ms
    ? expose(trial.exposure_ms, onset, masks, over.signal)
    : null;
  const choice = await pick(blockOptions.choice, onset + IGNORE_MS);
  const { width, height } = current.frame.querySelector(".picture").getBoundingClientRect();
  const chosen = blockOptions.choice.find((option) => option.value === choice.value);
  mark(chosen.element, true);
  const confidence = block.confidence ? await askConfidence(block.confidence) : null;
  let reason = null;
  if (block.reasons.length > 0) {
    showPanel("reason");
    $("reason").focus({ preventScroll: true });
    reason = (await pick(blockOptions.reason)).value;
  }
  over.abort();
  showPanel("");
  const shownMs = exposure ? await exposure : performance.now() - onset;
  const away = lostMs + (lostSince === null ? 0 : performance.now() - lostSince);
  return {
    token: trial.token,
    response: choice.value,
    confidence,
    reason,
    rt_ms: choice.at - onset,
    shown_ms: shownMs,
    frame_ms: frameMs,
    input_device: choice.device,
    layout: layout.name,
    viewport_w: innerWidth,
    viewport_h: innerHeight,
    dpr: devicePixelRatio,
    shown_w: width,
    shown_h: height,
    images_loaded_ms: loadedMs,
    focus_lost_ms: away,
    flags: noticed(choice.at - onset, away),
  };
}

/** Tell whether a locked response was right, until the participant goes on. */
export async function tell(feedback, practiceOver) {
  $("feedback").textContent = feedback?.text ?? "";
  $("practice-over").hidden = !practiceOver;
  const box = current.frame.querySelector(".chosen");
  box?.classList.toggle("wrong", feedback?.correct === false);
  const told = current.frame.querySelectorAll(".told");
  feedback?.labels?.forEach((label, i) => (told[i].textContent = label));
  if (feedback?.labels && !current.captioned) {
    current.captioned = true;
    fit();
  }
  showPanel("answer");
  $("continue").focus({ preventScroll: true });
  await pick([{ value: true, element: $("continue"), keys: [" ", "enter"] }], performance.now() + IGNORE_MS);
}
