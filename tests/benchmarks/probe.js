// Measures from outside, and the same way on every page: when a stimulus was really on the display,
// and when the mouse was pressed. `find` returns the element of the stimulus that is visible now.
window.probe = { shown: [], masked: [], presses: [], clicks: [], frames: [] };

function watch(find, log) {
  let last = null;
  new MutationObserver(() => {
    const found = find();
    if (!found || found === last) {
      if (!found) last = null;
      return;
    }
    last = found;
    onDisplay((time) => log.push(time));
  }).observe(document, { subtree: true, childList: true, attributes: true });
}

// What changes within a frame's callbacks is drawn by this frame and seen when the next one begins.
// What changes between two frames is drawn by the next one and seen when the one after it begins.
let inFrame = false;
const after = new MessageChannel();
after.port1.onmessage = () => (inFrame = false);

function frame(time) {
  inFrame = true;
  after.port2.postMessage(0);
  probe.frames.push(time);
  if (probe.frames.length > 200) probe.frames.shift();
  requestAnimationFrame(frame);
}

function onDisplay(seen) {
  if (inFrame) requestAnimationFrame(seen);
  else requestAnimationFrame(() => requestAnimationFrame(seen));
}

requestAnimationFrame(frame);
addEventListener("pointerdown", (event) => probe.presses.push(event.timeStamp), true);
addEventListener("click", (event) => probe.clicks.push(event.timeStamp), true);
watch(
  () => document.querySelector("#stage:not([hidden]):not(.waiting) #left img") ?? theirs(true),
  probe.shown,
);
watch(
  () => document.querySelector("#stage:not([hidden]):not(.waiting) #left canvas") ?? theirs(false),
  probe.masked,
);

/** The stimulus of jsPsych's plugin, visible or made invisible by it. */
function theirs(visible) {
  const stimulus = document.getElementById("jspsych-image-button-response-stimulus");
  return stimulus && (stimulus.style.visibility !== "hidden") === visible ? stimulus : null;
}
